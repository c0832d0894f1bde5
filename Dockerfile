# The service as an image: built with everything, run with what it needs, as nobody in particular.
# The base has glibc, which KurrentDB's client wants.
FROM node:26-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY console ./console
COPY deploy/package ./deploy/package
# By this Node: the npm package `node`, which development uses, is not set up here.
RUN node node_modules/.bin/tsc -p tsconfig.build.json && node deploy/package/build.ts

FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Types and source maps are of no use to a service, nor is node-redis, which npm brings for a module that nothing loads.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && find node_modules -type f \( -name "*.d.ts" -o -name "*.d.mts" -o -name "*.d.cts" -o -name "*.map" \) -delete \
  && rm -rf node_modules/redis node_modules/@redis \
  && npm cache clean --force

FROM node:26-bookworm-slim
ENV NODE_ENV=production \
  HOST=0.0.0.0 \
  PORT=3000 \
  WALLET_DATA_DIR=/data \
  WALLET_LOG_FORMAT=json
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
COPY sql ./sql
# For the embedded database, where no DATABASE_URL is given: a volume belongs here then.
RUN mkdir /data && chown node:node /data
USER node
EXPOSE 3000
# Answered within the time, or not alive. The image has no curl, and needs none.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||3000)+'/health/live').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# Finishes what is in flight, writes snapshots and exits with 0 within 10 seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/bin/wallet.js"]
CMD ["serve"]
