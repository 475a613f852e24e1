# docker build --build-arg BIDS_DNN_DOCKER_TAG=bids_dnn:latest --tag bids_dnn:latest .
# The base is that of Singularity.def.
FROM python:3.11-slim

# Weights: mount a folder that holds hub/checkpoints/alexnet-owt-7be5be79.pth on /opt/weights.
# Templates: mount a TemplateFlow folder on /opt/templateflow.
ENV HOME=/home/bids_dnn \
    TORCH_HOME=/opt/weights \
    TEMPLATEFLOW_HOME=/opt/templateflow \
    MPLBACKEND=Agg \
    MPLCONFIGDIR=/tmp/matplotlib \
    NO_ET=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONUNBUFFERED=1

# Any user id may run the image (docker run --user), so these are open to all.
RUN mkdir -p "$HOME" "$TORCH_HOME" "$TEMPLATEFLOW_HOME" /work \
    && chmod 777 "$HOME" "$TORCH_HOME" "$TEMPLATEFLOW_HOME" /work

# The dependencies first: this layer stays while only the code changes.
WORKDIR /src
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY bids_dnn/__init__.py bids_dnn/__init__.py
RUN python -m pip install --quiet .

COPY bids_dnn bids_dnn
RUN python -m pip install --quiet --no-deps --force-reinstall . \
    && cd / && bids_dnn --version

ARG BIDS_DNN_DOCKER_TAG=bids_dnn
ENV BIDS_DNN_DOCKER_TAG=$BIDS_DNN_DOCKER_TAG
LABEL org.opencontainers.image.title="bids_dnn" \
      org.opencontainers.image.description="BIDS App that relates deep networks to brain data" \
      org.opencontainers.image.licenses="Apache-2.0"

WORKDIR /work
ENTRYPOINT ["bids_dnn"]
CMD ["--help"]
