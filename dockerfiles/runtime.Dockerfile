# What the image `runtime` adds to its layers: the same as base.Dockerfile.
ARG BASE
FROM ${BASE}

LABEL org.opencontainers.image.title="Rigforge runtime" \
      org.opencontainers.image.description="CUDA libraries, PyTorch and JupyterLab of a Rigforge stack"
ENV LANG=C.UTF-8 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --chmod=755 files/rigforge-entrypoint /usr/local/bin/
COPY --chmod=644 files/gpu_check.py /usr/local/lib/rigforge/
RUN install -d -m 1777 /workspace
WORKDIR /workspace

ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/rigforge-entrypoint"]
CMD ["bash"]
