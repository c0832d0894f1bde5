/** Endpoints of the API's own keys. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import { bodyProblems, doc, noQuery, pageQuery } from "./EndpointParts.ts"
import { Authorization, RequestForm, RequiredScope } from "./Authorization.ts"
import { NotFound } from "./Problem.ts"
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
  error: [NotFound]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("Revoke an API key", "admin", "All nodes refuse it within 5 s."))

export class KeysApi extends HttpApiGroup.make("keys")
  .add(createKey, listKeys, deleteKey)
  .middleware(RequestForm)
  .middleware(Authorization) {}
