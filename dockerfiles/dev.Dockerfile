# What the image `dev` adds to its layers: as base.Dockerfile, and a user who may become root.
ARG BASE
FROM ${BASE}

LABEL org.opencontainers.image.title="Rigforge dev" \
      org.opencontainers.image.description="CUDA, PyTorch and JupyterLab of a Rigforge stack, with compilers and headers"
ENV LANG=C.UTF-8 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --chmod=755 files/rigforge-entrypoint /usr/local/bin/
COPY --chmod=644 files/gpu_check.py files/jupyter_health.py /usr/local/lib/rigforge/
# The same bytes on every day: no date in /etc/shadow (the day 0 is none), no backups, no entry in /var/log/lastlog.
RUN install -d -m 1777 /workspace \
    && SOURCE_DATE_EPOCH=0 useradd --create-home --no-log-init --shell /bin/bash --uid 1000 --user-group dev \
    && rm -f /etc/*- /etc/.pwd.lock \
    && install -d /etc/sudoers.d \
    && echo "dev ALL=(ALL:ALL) NOPASSWD: ALL" >/etc/sudoers.d/dev \
    && chmod 440 /etc/sudoers.d/dev
WORKDIR /workspace

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["/usr/bin/python3", "-I", "/usr/local/lib/rigforge/jupyter_health.py"]
USER 1000
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/rigforge-entrypoint"]
CMD ["bash"]
