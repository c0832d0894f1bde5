/** Endpoints for whoever runs the service; they need no key. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { doc, noQuery } from "./EndpointParts.ts"
import { RequestForm } from "./Authorization.ts"
import { HealthJson } from "./Schemas.ts"

const live = HttpApiEndpoint.get("live", "/health/live", {
  query: noQuery,
  success: Schema.Struct({ status: Schema.Literal("ok") })
}).annotateMerge(doc("Whether the process serves", null))

const ready = HttpApiEndpoint.get("ready", "/health/ready", {
  query: noQuery,
  success: [HealthJson.pipe(HttpApiSchema.status(200)), HealthJson.pipe(HttpApiSchema.status(503))]
}).annotateMerge(doc("Whether commands can be served", null, "503 when not; `degraded` parts leave it at 200."))

const metrics = HttpApiEndpoint.get("metrics", "/metrics", {
  success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" }))
}).annotateMerge(doc("Metrics in Prometheus' text format", null))

export class HealthApi extends HttpApiGroup.make("health").add(live, ready, metrics).middleware(RequestForm) {}
