# An image that holds published models and nothing else, for the production overlay's image volume.
# Build it where models/ is: docker build -f deploy/kubernetes/models.Dockerfile -t registry.example.org/dropserve/models:1 models
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS published
COPY . /models
# The training job wrote its own folder into the file; TF Serving reads /models.
RUN sed -i -E 's|base_path: ".*/([a-z0-9_]+)"|base_path: "/models/\1"|' /models/models.config

FROM scratch
COPY --from=published --chown=10001:10001 /models /
