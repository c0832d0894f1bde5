/**
 * What the endpoints of the API have in common: parameters, statuses, problems, and the
 * middleware that refuses a malformed request. Definition only; its server's part is
 * `RequestValidation.ts`.
 */
import * as Context from "effect/Context"
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
  KeyLimitExceeded,
  LimitExceeded,
  MailboxFull,
  OperationRefused,
  OperationReversed,
  OutcomeUnknown,
  PayloadTooLarge,
  PolicyDefect,
  PolicyRejected,
  UnsupportedMediaType,
  VersionMismatch
} from "./Problem.ts"
import { CommandQuery } from "./Schemas.ts"
import { Cursor, Id, IdempotencyKey, IfMatch, Limit, noFields } from "./SchemaValues.ts"

/** Turns what the definition does not allow into `InvalidRequest`. */
export class RequestValidation extends HttpApiMiddleware.Service<RequestValidation>()(
  "effect-wallet/http/api/EndpointParts/RequestValidation",
  { error: [InvalidRequest, InternalError] }
) {}

/** Annotates an endpoint with what the server decodes of a body before its parts. */
export class DecodedFirst extends Context.Service<DecodedFirst, Schema.ConstraintDecoder<unknown>>()(
  "effect-wallet/http/api/EndpointParts/DecodedFirst"
) {}

export const walletPath = { id: Id }
export const holdPath = { id: Id, holdId: Id }

export const commandQuery = CommandQuery

const keyHeader = { "idempotency-key": IdempotencyKey.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))) }

/** Of every mutation. */
export const command = { headers: keyHeader, query: commandQuery }

/** Of every mutation of a wallet that is there. */
export const walletCommand = { headers: { ...keyHeader, "if-match": Schema.optionalKey(IfMatch) }, query: commandQuery }

export const pageQuery = { limit: Schema.optionalKey(Limit), cursor: Schema.optionalKey(Cursor) }

/** An endpoint that takes no query: an unknown parameter is refused, so it must be declared empty. */
export const noQuery = noFields

/** 201 (or 200) when as durable as asked for, else 202; a dry run 200. */
export const created = <S extends Schema.Top, D extends Schema.Top>(reply: S, dryRun: D) =>
  [
    dryRun.pipe(HttpApiSchema.status(200)),
    reply.pipe(HttpApiSchema.status(201)),
    reply.pipe(HttpApiSchema.status(202))
  ] as const

/** The first that fits is taken: a dry run's reply says that it is one. */
export const done = <S extends Schema.Top, D extends Schema.Top>(reply: S, dryRun: D) =>
  [
    dryRun.pipe(HttpApiSchema.status(200)),
    reply.pipe(HttpApiSchema.status(200)),
    reply.pipe(HttpApiSchema.status(202))
  ] as const

export const bodyProblems = [PayloadTooLarge, UnsupportedMediaType] as const

export const commandProblems = [
  ...bodyProblems,
  IdempotencyKeyMissing,
  IdempotencyInProgress,
  IdempotencyKeyReused,
  InternalError,
  InvalidRequest,
  KeyLimitExceeded,
  LimitExceeded,
  OperationRefused,
  OperationReversed,
  MailboxFull,
  OutcomeUnknown,
  PolicyDefect,
  PolicyRejected
] as const

export const walletCommandProblems = [...commandProblems, VersionMismatch] as const

/** Summary and, in the description, the scope that the endpoint asks for. */
export const doc = (summary: string, scope: Scope | null, description = "") =>
  OpenApi.annotations({
    summary,
    description: [description, scope === null ? "" : `Scope: \`${scope}\`.`].filter((part) => part !== "").join(" ")
  })
