/**
 * What the endpoints of the API have in common: parameters, statuses, problems, and the
 * middleware that refuses a malformed request. Definition only; its server's part is
 * `RequestValidation.ts`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import type { Scope } from "../../stores/ApiKeyStore.ts"
import {
  IdempotencyInProgress,
  IdempotencyKeyMissing,
  IdempotencyKeyReused,
  InternalError,
  InvalidRequest,
  LimitExceeded,
  MailboxFull,
  OperationRefused,
  OperationReversed,
  OutcomeUnknown,
  PayloadTooLarge,
  UnsupportedMediaType
} from "./Problem.ts"
import { AwaitQuery } from "./Schemas.ts"
import { Cursor, Id, IdempotencyKey, Limit, noFields } from "./SchemaValues.ts"

/** Turns what the definition does not allow into `InvalidRequest`. */
export class RequestValidation extends HttpApiMiddleware.Service<RequestValidation>()(
  "effect-wallet/http/api/EndpointParts/RequestValidation",
  { error: [InvalidRequest, InternalError] }
) {}

export const walletPath = { id: Id }
export const holdPath = { id: Id, holdId: Id }

export const commandQuery = AwaitQuery

/** Of every mutation. */
export const command = {
  headers: { "idempotency-key": IdempotencyKey.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))) },
  query: commandQuery
}

export const pageQuery = { limit: Schema.optionalKey(Limit), cursor: Schema.optionalKey(Cursor) }

/** An endpoint that takes no query: an unknown parameter is refused, so it must be declared empty. */
export const noQuery = noFields

/** 201 (or 200) when as durable as asked for, else 202. */
export const created = <S extends Schema.Top>(reply: S) =>
  [reply.pipe(HttpApiSchema.status(201)), reply.pipe(HttpApiSchema.status(202))] as const

export const done = <S extends Schema.Top>(reply: S) =>
  [reply.pipe(HttpApiSchema.status(200)), reply.pipe(HttpApiSchema.status(202))] as const

export const bodyProblems = [PayloadTooLarge, UnsupportedMediaType] as const

export const commandProblems = [
  ...bodyProblems,
  IdempotencyKeyMissing,
  IdempotencyInProgress,
  IdempotencyKeyReused,
  InternalError,
  InvalidRequest,
  LimitExceeded,
  OperationRefused,
  OperationReversed,
  MailboxFull,
  OutcomeUnknown
] as const

/** Summary and, in the description, the scope that the endpoint asks for. */
export const doc = (summary: string, scope: Scope | null, description = "") =>
  OpenApi.annotations({
    summary,
    description: [description, scope === null ? "" : `Scope: \`${scope}\`.`].filter((part) => part !== "").join(" ")
  })
