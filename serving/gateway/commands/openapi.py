"""Print the OpenAPI document: `python -m serving.gateway.commands.openapi > docs/openapi.json`."""

import json

from serving.gateway import create_app


def document() -> str:
    """Return the OpenAPI document of the application as indented JSON."""
    return json.dumps(create_app({}).api_doc, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(document(), end="")
