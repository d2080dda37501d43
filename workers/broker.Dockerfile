# The broker: Debian's Valkey with an append-only file. Built from the project's root.
FROM docker.io/library/debian:trixie-slim

# The user is created first, with a fixed number, so that a rebuilt image still owns the data in its volume.
RUN groupadd --gid 10043 valkey \
    && useradd --uid 10043 --gid valkey --no-create-home --home-dir /var/lib/valkey valkey \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends valkey-server \
    && rm -rf /var/lib/apt/lists/* /etc/valkey \
    && install --directory --owner=valkey --group=valkey --mode=0750 /var/lib/valkey

COPY workers/valkey.conf /etc/valkey/

USER valkey
WORKDIR /var/lib/valkey
EXPOSE 6379
# The password is passed by standard input, so that no list of processes shows it.
CMD ["sh", "-c", "exec valkey-server /etc/valkey/valkey.conf - <<END\nrequirepass ${MSK_BROKER_PASSWORD:?}\nEND\n"]
