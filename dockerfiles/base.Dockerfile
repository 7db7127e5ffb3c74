# What the image `base` adds to its layers. Each of these files stands alone: to make your own image, build it with
# --build-arg BASE=IMAGE and this folder as the context. While Rigforge builds, only the operating system is there:
# no CUDA, no network, no package manager.
ARG BASE
FROM ${BASE}

LABEL org.opencontainers.image.title="Rigforge base" \
      org.opencontainers.image.description="The operating system of a Rigforge stack"
ENV LANG=C.UTF-8 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --chmod=755 files/rigforge-entrypoint /usr/local/bin/
COPY --chmod=644 files/gpu_check.py /usr/local/lib/rigforge/
RUN install -d -m 1777 /workspace
WORKDIR /workspace

ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/rigforge-entrypoint"]
CMD ["bash"]
