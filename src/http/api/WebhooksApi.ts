/** Endpoints for webhooks, with their documents: all of them need `admin`. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import {
  isWebhookUrl,
  maxFeedTypes,
  maxFeedWallets,
  maxWebhookUrlLength,
  webhookUrlPattern
} from "../../domain/Limits.ts"
import { Authorization, RequiredScope } from "./Authorization.ts"
import { bodyProblems, doc, noQuery, pageQuery, RequestValidation } from "./EndpointParts.ts"
import { InternalError, LimitExceeded, NotFound, PositionGone, WebhookRefused } from "./Problem.ts"
import { EventType } from "./Schemas.ts"
import { Cursor, Id, Position, Text, Time, VersionNumber } from "./SchemaValues.ts"

const urlForm = `an http or https URL of at most ${maxWebhookUrlLength} characters, without credentials and fragment`

const Url = Schema.String.check(
  Schema.isPattern(webhookUrlPattern, { expected: urlForm }),
  Schema.isMaxLength(maxWebhookUrlLength, { expected: urlForm }),
  Schema.makeFilter(isWebhookUrl, { expected: urlForm })
).annotate({
  description: `${urlForm[0]!.toUpperCase()}${urlForm.slice(1)}.`
})

const several = <S extends Schema.Top>(schema: S, most: number) => {
  const expected = `1 to ${most} of them`
  return Schema.Array(schema).check(Schema.isMinLength(1, { expected }), Schema.isMaxLength(most, { expected }))
}

const Types = Schema.NullOr(several(EventType, maxFeedTypes)).annotate({
  description: "Events of these types; null: of any."
})
const WalletIds = Schema.NullOr(several(Id, maxFeedWallets)).annotate({
  description: "Events of these wallets; null: of any."
})
const OwnerId = Schema.NullOr(Id).annotate({ description: "Events of this owner's wallets; null: of any's." })
const Description = Schema.NullOr(Text)

/** In a body as a string, or as a number where that is exact. */
const From = Schema.Union([
  Position,
  VersionNumber.pipe(
    Schema.decodeTo(Schema.BigInt, {
      decode: SchemaGetter.transform((position: number) => BigInt(position)),
      encode: SchemaGetter.transform((position: bigint) => Number(position))
    })
  )
]).annotate({ description: "A position of the log, as the feed's `id`: events behind it are sent. `0`: all." })

const settings = {
  types: Schema.optionalKey(Types),
  walletIds: Schema.optionalKey(WalletIds),
  ownerId: Schema.optionalKey(OwnerId),
  description: Schema.optionalKey(Description)
}

export const CreateWebhookBody = Schema.Struct({ url: Url, ...settings, from: Schema.optionalKey(From) }).annotate({
  identifier: "CreateWebhook"
})

const Status = Schema.Literals(["enabled", "disabled"])

const isNotEmpty = (body: object): boolean => Object.keys(body).length > 0

export const UpdateWebhookBody = Schema.Struct({
  url: Schema.optionalKey(Url),
  ...settings,
  status: Schema.optionalKey(Status)
})
  .check(Schema.makeFilter(isNotEmpty, { expected: "at least one of its members" }))
  .annotate({ identifier: "UpdateWebhook" })

export const ReplayWebhookBody = Schema.Struct({ from: From }).annotate({ identifier: "ReplayWebhook" })

const overlapForm = "a whole number from 0 to 604800"

export const RollSecretBody = Schema.Struct({
  overlapSeconds: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 * 86_400 }, { expected: overlapForm }))
  ).annotate({ description: "How long the secret that is replaced signs, too. Default 86400, a day." })
}).annotate({ identifier: "RollSecret" })

const webhookFields = {
  id: Id,
  url: Schema.String,
  types: Types,
  walletIds: WalletIds,
  ownerId: OwnerId,
  description: Description,
  status: Status,
  lastError: Schema.NullOr(Schema.String).annotate({
    description: "Why it was disabled; while it is enabled, what the oldest failure that still stands was."
  }),
  position: Position.annotate({
    description: "All events up to this position that are wanted were acknowledged, but for those of wallets behind."
  }),
  walletsBehind: VersionNumber.annotate({ description: "Wallets with an event that was not acknowledged yet." }),
  createdAt: Time,
  updatedAt: Time
}

export const WebhookJson = Schema.Struct(webhookFields).annotate({ identifier: "Webhook" })

export const WebhookWithSecretJson = Schema.Struct({ ...webhookFields, secret: Schema.String }).annotate({
  identifier: "WebhookWithSecret",
  description: "The secret, `whsec_…`, is shown this once: requests are verified with it."
})

const WebhookPage = Schema.Struct({ data: Schema.Array(WebhookJson), next: Schema.NullOr(Cursor) }).annotate({
  identifier: "WebhookPage"
})

const attempt = {
  id: Schema.String.annotate({ description: "`webhook-id` of the request: the same for all attempts of one event." }),
  status: Schema.Literals(["acknowledged", "failed"]),
  httpStatus: Schema.NullOr(VersionNumber).annotate({ description: "null: there was no answer." }),
  durationMillis: VersionNumber,
  error: Schema.NullOr(Schema.String)
}

export const DeliveryJson = Schema.Struct({
  ...attempt,
  walletId: Id,
  version: VersionNumber,
  type: EventType,
  attempt: VersionNumber.annotate({ description: "1: the first of this event." }),
  time: Time
}).annotate({ identifier: "WebhookDelivery" })

const DeliveryPage = Schema.Struct({ data: Schema.Array(DeliveryJson), next: Schema.NullOr(Cursor) }).annotate({
  identifier: "WebhookDeliveryPage"
})

export const WebhookTestJson = Schema.Struct(attempt).annotate({ identifier: "WebhookTest" })

const path = { id: Id }

const create = HttpApiEndpoint.post("create", "/v1/webhooks", {
  query: noQuery,
  payload: CreateWebhookBody,
  success: WebhookWithSecretJson.pipe(HttpApiSchema.status(201)),
  error: [...bodyProblems, InternalError, LimitExceeded, PositionGone, WebhookRefused]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Make a webhook",
      "admin",
      "Events are posted to the URL by the rules of Standard Webhooks, as `{type, timestamp, data}` with `data` as in the " +
        "feed: at least once, in order per wallet, those from now on or behind the position `from`. The only answer that " +
        "shows its secret. `WebhookRefused`: the URL leads to an address that is not public."
    )
  )

const list = HttpApiEndpoint.get("list", "/v1/webhooks", { query: pageQuery, success: WebhookPage })
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("Webhooks, newest first", "admin"))

const get = HttpApiEndpoint.get("get", "/v1/webhooks/:id", {
  params: path,
  query: noQuery,
  success: WebhookJson,
  error: [NotFound]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("Read a webhook", "admin"))

const update = HttpApiEndpoint.patch("update", "/v1/webhooks/:id", {
  params: path,
  query: noQuery,
  payload: UpdateWebhookBody,
  success: WebhookJson,
  error: [...bodyProblems, NotFound, WebhookRefused]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Change a webhook",
      "admin",
      "What is left out stays; `null` takes a filter away. One that is enabled again goes on from where it was."
    )
  )

const remove = HttpApiEndpoint.delete("delete", "/v1/webhooks/:id", {
  params: path,
  query: noQuery,
  success: HttpApiSchema.NoContent,
  error: [NotFound]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(doc("Remove a webhook", "admin", "What is on its way may still arrive."))

const deliveries = HttpApiEndpoint.get("deliveries", "/v1/webhooks/:id/deliveries", {
  params: path,
  query: pageQuery,
  success: DeliveryPage,
  error: [NotFound]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "The latest attempts of a webhook, newest first",
      "admin",
      "200 at most are kept, within a second; of a busy webhook failures rather, and not every success."
    )
  )

const test = HttpApiEndpoint.post("test", "/v1/webhooks/:id/test", {
  params: path,
  query: noQuery,
  success: WebhookTestJson,
  error: [NotFound]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Try a webhook",
      "admin",
      "Sends one request of the type `WebhookTest`, once, also to a disabled one, and tells."
    )
  )

const replay = HttpApiEndpoint.post("replay", "/v1/webhooks/:id/replay", {
  params: path,
  query: noQuery,
  payload: ReplayWebhookBody,
  success: WebhookJson,
  error: [...bodyProblems, NotFound, PositionGone]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Send again what is behind a position",
      "admin",
      "With the same ids, in order per wallet. Never forward: nothing is skipped."
    )
  )

const rollSecret = HttpApiEndpoint.post("rollSecret", "/v1/webhooks/:id/secret", {
  params: path,
  query: noQuery,
  payload: RollSecretBody,
  success: WebhookWithSecretJson,
  error: [...bodyProblems, NotFound]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Roll a webhook's secret",
      "admin",
      "Shows the new one. Each request has two signatures for as long as the one before it signs, too."
    )
  )

export class WebhooksApi extends HttpApiGroup.make("webhooks")
  .add(create, list, get, update, remove, deliveries, test, replay, rollSecret)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
