/**
 * Endpoints for whoever operates the service: API keys, the view of the cluster, and,
 * without a key, health and metrics.
 */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { Authorization, RequiredScope } from "./Authorization.ts"
import { bodyProblems, doc, noQuery, pageQuery, RequestValidation } from "./EndpointParts.ts"
import { LastAdminKey, NotFound } from "./Problem.ts"
import { ClusterJson, HealthJson } from "./OperationsSchemas.ts"
import { CreatedKeyJson, CreateKeyBody, KeyPage } from "./Schemas.ts"
import { Id } from "./SchemaValues.ts"

const createKey = HttpApiEndpoint.post("create", "/v1/keys", {
  query: noQuery,
  payload: CreateKeyBody,
  success: CreatedKeyJson.pipe(HttpApiSchema.status(201)),
  error: [...bodyProblems]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("Make an API key", "admin", "The only answer that shows its secret."))

const listKeys = HttpApiEndpoint.get("list", "/v1/keys", { query: pageQuery, success: KeyPage })
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("API keys, newest first", "admin"))

const deleteKey = HttpApiEndpoint.delete("delete", "/v1/keys/:id", {
  params: { id: Id },
  query: noQuery,
  success: HttpApiSchema.NoContent,
  error: [NotFound, LastAdminKey]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("Revoke an API key", "admin", "All nodes refuse it within 5 s. The last admin key stays."))

export class KeysApi extends HttpApiGroup.make("keys")
  .add(createKey, listKeys, deleteKey)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

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
