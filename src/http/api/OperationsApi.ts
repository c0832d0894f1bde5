/** Endpoints for whoever operates the service: the view of the cluster, and, without a key, health and metrics. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { Authorization, RequiredScope } from "./Authorization.ts"
import { doc, noQuery, RequestValidation } from "./EndpointParts.ts"
import { ClusterJson, HealthJson } from "./OperationsSchemas.ts"

const view = HttpApiEndpoint.get("view", "/v1/cluster", { query: noQuery, success: ClusterJson })
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "The nodes, and this one's partitions",
      "admin",
      "`nodes` and `unowned` are null while the store of the leases does not answer; a single node has no leases."
    )
  )

export class ClusterApi extends HttpApiGroup.make("cluster")
  .add(view)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

// What a probe adds to the path, against caches for one, changes nothing: no query is declared, so all are let be.
const live = HttpApiEndpoint.get("live", "/health/live", {
  success: Schema.Struct({ status: Schema.Literal("ok") }).annotate({ identifier: "Liveness" })
}).annotateMerge(doc("Whether the process serves", null))

const ready = HttpApiEndpoint.get("ready", "/health/ready", {
  success: [HealthJson.pipe(HttpApiSchema.status(200)), HealthJson.pipe(HttpApiSchema.status(503))]
}).annotateMerge(doc("Whether commands can be served", null, "503 when not; `degraded` parts leave it at 200."))

const metrics = HttpApiEndpoint.get("metrics", "/metrics", {
  success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" }))
}).annotateMerge(doc("Metrics in Prometheus' text format", null))

export class HealthApi extends HttpApiGroup.make("health").add(live, ready, metrics).middleware(RequestValidation) {}
