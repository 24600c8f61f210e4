"""A Flask application that does nothing: what is left is Flask and its server, the gateway's ceiling."""

from flask import Flask

app = Flask(__name__)


@app.post("/predict")
def predict() -> dict[str, list]:
    """Answer without a look at the body."""
    return {"predictions": []}
