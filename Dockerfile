# fanout in a small image, as a user without rights:
#
#   docker build -t fanout .
#   docker run --rm -i fanout fetch - < urls.txt
#   docker run --rm -v "$PWD:/data" fanout fetch urls.txt -o results.jsonl
#
# `docker stop -t 15` leaves fanout the time to finish what is in flight (10 s at most).
FROM node:22-slim AS build
WORKDIR /build
COPY . .
RUN npm ci --no-audit --no-fund && npm pack --ignore-scripts

FROM node:22-slim
COPY --from=build /build/fanout-*.tgz /tmp/fanout.tgz
RUN npm install --global --no-audit --no-fund /tmp/fanout.tgz && rm /tmp/fanout.tgz
USER node
WORKDIR /data
ENTRYPOINT ["fanout"]
CMD ["--help"]
