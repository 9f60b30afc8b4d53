# The app with its REST service on port 8501; docs/deployment.md says how to run it behind a proxy, alone, or on a GPU.
# `docker build --target onnx .` makes another image: the REST service alone, by ONNX Runtime and without torch.
FROM python:3.11-slim AS base

# Nobody in the container is root. Models of the hub are kept in a volume, so that they are downloaded once.
RUN useradd --uid 10001 --create-home wenmo && install --directory --owner=wenmo /app/models
WORKDIR /app

# torch without CUDA is an eighth of the size. For a GPU build with the CUDA wheels instead:
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# The bundled models as ONNX files, written with torch; only the files go into an image.
FROM base AS export
COPY requirements-export.txt ./
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements-export.txt)" \
    && pip install --no-cache-dir --requirement requirements-export.txt
COPY assets ./assets
COPY wenmo ./wenmo
RUN set -e; for task in similarity sentiment zero-shot embedding; do \
        python -m wenmo export "wenmo-$task" "/app/onnx/$task" --to onnx; \
    done

# What both images have in common when they run. Ready, and not only alive: with WENMO_PRELOAD whoever waits for a
# container waits for its models, too.
FROM base AS service
ENV PYTHONUNBUFFERED=1 \
    MODELSCOPE_CACHE=/app/models \
    WENMO_HOST=0.0.0.0 \
    WENMO_PORT=8501
VOLUME ["/app/models"]
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['WENMO_PORT'] + '/api/health/ready', timeout=4)"]

FROM service AS onnx
COPY requirements-onnx.txt ./
RUN pip install --no-cache-dir --requirement requirements-onnx.txt
COPY wenmo ./wenmo
COPY --from=export /app/onnx ./onnx
USER 10001
ENV WENMO_RUNTIME=onnx \
    WENMO_SIMILARITY_MODEL=/app/onnx/similarity \
    WENMO_SENTIMENT_MODEL=/app/onnx/sentiment \
    WENMO_ZERO_SHOT_MODEL=/app/onnx/zero-shot \
    WENMO_EMBEDDING_MODEL=/app/onnx/embedding
CMD ["python", "-m", "wenmo", "serve", "--api-only"]

FROM service AS app
COPY requirements.txt ./
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)" \
    && pip install --no-cache-dir --requirement requirements.txt

COPY .streamlit ./.streamlit
COPY assets ./assets
COPY benchmarks/results ./benchmarks/results
COPY static ./static
COPY app.py ./
COPY pages ./pages
COPY wenmo ./wenmo

USER 10001
CMD ["python", "-m", "wenmo", "serve"]
