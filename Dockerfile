# fanout in a small image, as a user without rights:
#
#   docker build -t fanout .
#   docker run --rm -i fanout fetch - < urls.txt
#   docker run --rm -v "$PWD:/data" fanout fetch urls.txt -o results.jsonl
#
# `docker stop -t 15` leaves fanout the time to finish what is in flight (10 s at most). The image also has the packages
# that `fanout cluster` and --metrics need: see docs/deploy.md.
FROM node:22-slim AS build
WORKDIR /build
COPY . .
RUN npm ci --no-audit --no-fund && npm pack --ignore-scripts

FROM node:22-slim
COPY --from=build /build/fanout-*.tgz /tmp/fanout.tgz
RUN npm install --global --no-audit --no-fund /tmp/fanout.tgz @nats-io/transport-node@3.3.1 @nats-io/jetstream@3.3.1 \
      @nats-io/kv@3.3.1 @aws-sdk/client-s3@3 prom-client@15 \
  && rm /tmp/fanout.tgz && install --directory --owner=node --group=node /data
USER node
WORKDIR /data
ENTRYPOINT ["fanout"]
CMD ["--help"]
