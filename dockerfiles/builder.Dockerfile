# The builder for hosts whose package manager is not apt. `./bootstrap build-iso` there prints the two
# commands that make and run it; the packages come from ./bootstrap, so that the list exists once.
FROM debian:12
ARG PACKAGES
ARG UID=1000

# Versions are not pinned: a release's archive keeps only the newest. PACKAGES is a list, so it is not quoted.
# hadolint ignore=DL3008,SC2086
RUN : "${PACKAGES:?give --build-arg PACKAGES=\"\$(./bootstrap --packages build-images)\"}" \
    && apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git libcap2-bin python3 python3-venv $PACKAGES \
    && rm -rf /var/lib/apt/lists/*

# Debian installs newuidmap as setuid root, and root of a container may not write the id map of another user's
# namespace (that takes CAP_SYS_ADMIN, user_namespaces(7)). With file capabilities it stays the user who owns it.
RUN chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap \
    && setcap cap_setuid+ep /usr/bin/newuidmap \
    && setcap cap_setgid+ep /usr/bin/newgidmap \
    && useradd --create-home --non-unique --uid "$UID" builder \
    && echo "$UID:100000:65536" > /etc/subuid \
    && cp /etc/subuid /etc/subgid

USER $UID
ENV HOME=/home/builder
# A volume mounted here belongs to whom the folder belongs.
RUN mkdir /home/builder/.cache
