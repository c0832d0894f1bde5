/** Endpoints of API keys, and of the list of what admins have done. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { AnyKey, Authorization, ForRestrictedKeys, RequiredScope } from "./Authorization.ts"
import { bodyProblems, doc, noQuery, pageQuery, RequestValidation } from "./EndpointParts.ts"
import { AuditAction, AuditPage, CreatedKeyJson, CreateKeyBody, KeyJson, KeyPage, RollKeyBody } from "./KeySchemas.ts"
import { KeyConfigured, LastAdminKey, NotFound } from "./Problem.ts"
import { Id, Time } from "./SchemaValues.ts"

const createKey = HttpApiEndpoint.post("create", "/v1/keys", {
  query: noQuery,
  payload: CreateKeyBody,
  success: CreatedKeyJson.pipe(HttpApiSchema.status(201)),
  error: [...bodyProblems]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Make an API key",
      "admin",
      "The only answer that shows its secret. From `expiresAt` on it opens nothing. A key with a `restriction` cannot have " +
        "the scope `admin`."
    )
  )

const listKeys = HttpApiEndpoint.get("list", "/v1/keys", { query: pageQuery, success: KeyPage })
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("API keys, newest first", "admin"))

const ownKey = HttpApiEndpoint.get("self", "/v1/keys/self", { query: noQuery, success: KeyJson })
  .annotate(AnyKey, true)
  .annotate(ForRestrictedKeys, {})
  .annotateMerge(doc("The key that asks", null, "Any key may."))

const rollKey = HttpApiEndpoint.post("roll", "/v1/keys/:id/roll", {
  params: { id: Id },
  query: noQuery,
  payload: RollKeyBody,
  success: CreatedKeyJson,
  error: [...bodyProblems, NotFound, KeyConfigured]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Give a key a new secret",
      "admin",
      "The only answer that shows it. The secret before is good for `graceSeconds`, and one before that ends at once. Id, " +
        "restriction and what was spent under its limits stay."
    )
  )

const deleteKey = HttpApiEndpoint.delete("delete", "/v1/keys/:id", {
  params: { id: Id },
  query: noQuery,
  success: HttpApiSchema.NoContent,
  error: [NotFound, LastAdminKey]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Revoke an API key",
      "admin",
      "With both of its secrets. All nodes refuse it within 5 s. The last admin key that does not expire stays."
    )
  )

export class KeysApi extends HttpApiGroup.make("keys")
  .add(createKey, listKeys, ownKey, rollKey, deleteKey)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

const listAudit = HttpApiEndpoint.get("list", "/v1/audit", {
  query: {
    from: Schema.optionalKey(Time),
    to: Schema.optionalKey(Time),
    keyId: Schema.optionalKey(Id),
    action: Schema.optionalKey(AuditAction),
    ...pageQuery
  },
  success: AuditPage
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "What admins have done, and what keys were refused, newest first",
      "admin",
      "Keys, webhooks, freezes, closings, overdraft limits and forced debits, and requests of valid keys that got 403. " +
        "An entry is there within seconds."
    )
  )

export class AuditApi extends HttpApiGroup.make("audit")
  .add(listAudit)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
