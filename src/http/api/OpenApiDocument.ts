/**
 * What the generated OpenAPI document lacks: headers of replies, which inputs are
 * required or may be left out, and the problems that any request can meet.
 */

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const objectAt = (value: unknown, key: string): Json | undefined => {
  const found = isObject(value) ? value[key] : undefined
  return isObject(found) ? found : undefined
}

const replayedHeader = {
  "Idempotency-Replayed": {
    description: "`true`: the key was known, this is the first answer again.",
    schema: { type: "string", enum: ["true"] }
  }
}

const versionHeader = {
  ETag: {
    description: "The wallet's version in double quotes, as `If-Match` takes it. Not of a dry run.",
    schema: { type: "string" }
  }
}

const retryAfterHeader = {
  "Retry-After": { description: "Whole seconds, 1 or more.", schema: { type: "integer", minimum: 1 } }
}

const retryable = new Set(["409", "429", "503"])

/** The bodies that may be left out: all their fields are optional. */
const optionalBodies =
  /^\/v1\/(?:wallets\/\{id\}\/(?:freeze|unfreeze|close|holds\/\{holdId\}\/capture)|(?:transactions|transfers)\/\{id\}\/refund|webhooks\/\{id\}\/secret)$/

const lastEventId = {
  name: "Last-Event-ID",
  description: "The `id` of the last event received, as a browser sends it when it connects again."
}

/** What a parameter of a query means; the same name means the same everywhere but where its operation says otherwise. */
const meanings: Readonly<Record<string, string>> = {
  ownerId: "The wallet's owner, exactly; of a transfer either side's.",
  walletId: "The wallet, exactly; of a transfer either side.",
  currency: "The currency, exactly.",
  from: "Created then or later.",
  to: "Created then or earlier.",
  minAmount: "At least this amount, in minor units.",
  maxAmount: "At most this amount, in minor units.",
  minBalance: "At least this balance, in minor units; may be negative.",
  maxBalance: "At most this balance, in minor units; may be negative.",
  reference: "The whole reference, exactly.",
  transferId: "Of this transfer.",
  refundOf: "Refunds of the transaction, or of the transfer, with this id.",
  holdId: "Captures of the hold with this id.",
  idempotencyKey:
    "The key that the command was sent with, exactly. Keys belong to a wallet: two wallets may have used one.",
  expiresBefore: "With a time of expiry, and that earlier than this.",
  q:
    "Words, in any case, all of which must be there as whole words: in metadata values, in a reference, or as the id of the " +
    "thing itself, of its wallets or their owners. A word that ends with `*` finds all that begin with it.",
  status: "The status as it is now.",
  type: "The kind of transaction.",
  minVersion: "At least this version of the wallet: one that an earlier answer has named.",
  atVersion: "As it was at this version.",
  at: "As it was at this time.",
  effectiveAt: "As it is now, with the balance by the books at this time.",
  effectiveFrom: "Counting for the books then or later.",
  effectiveTo: "Counting for the books then or earlier.",
  timezone: "Of dates: an IANA name, like `Europe/Prague`. Default `UTC`.",
  await: "What the answer waits for. Default `persisted`.",
  dryRun:
    "`true`: what would be answered now, with 200 and `dryRun: true`. Nothing is recorded and no key is used; a key that " +
    "was used is answered as it would be anyway.",
  interval: "What the times of transactions are counted by, in UTC. Default `day`.",
  limit: "Items of a page. Default 50.",
  cursor: "`next` of the page before, with the same filters."
}

const completeMeaning = (parameter: unknown): unknown => {
  if (!isObject(parameter) || parameter["in"] !== "query" || parameter["description"] !== undefined) return parameter
  const { name } = parameter
  return typeof name === "string" && Object.hasOwn(meanings, name)
    ? { ...parameter, description: meanings[name] }
    : parameter
}

const ifMatch = {
  name: "If-Match",
  description:
    "The version that the wallet has to be at, in double quotes, as `ETag` tells it, or `*`. Else 412; not asked of a " +
    "command whose key was used."
}

const completeParameter = (parameter: unknown): unknown => {
  if (isObject(parameter) && parameter["name"] === "last-event-id") return { ...parameter, ...lastEventId }
  if (isObject(parameter) && parameter["name"] === "if-match") return { ...parameter, ...ifMatch }
  return completeMeaning(completeKey(parameter))
}

const completeKey = (parameter: unknown): unknown =>
  isObject(parameter) && parameter["name"] === "idempotency-key"
    ? {
        ...parameter,
        name: "Idempotency-Key",
        required: false,
        description:
          "1 to 255 visible ASCII characters. The same key with the same command has one effect. A command needs one; a " +
          "dry run may be without.",
        schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" }
      }
    : parameter

/** Whether its answers show one wallet as it is. */
const showsWallet = (path: string, isCommand: boolean): boolean =>
  path === "/v1/wallets/{id}" ||
  (isCommand && (path.startsWith("/v1/wallets") || path === "/v1/transactions/{id}/refund"))

const completeResponses = (path: string, responses: Json, isCommand: boolean): Json =>
  Object.fromEntries(
    Object.entries(responses).map(([status, response]) => {
      if (!isObject(response)) return [status, response]
      const headers = {
        ...objectAt(response, "headers"),
        // An outcome that was reversed is told again, too.
        ...(isCommand && (status.startsWith("2") || status === "422") ? replayedHeader : {}),
        ...(status.startsWith("2") && showsWallet(path, isCommand) ? versionHeader : {}),
        ...(retryable.has(status) ? retryAfterHeader : {})
      }
      return [status, Object.keys(headers).length === 0 ? response : { ...response, headers }]
    })
  )

const completeOperation = (path: string, operation: Json): Json => {
  const parameters = Array.isArray(operation["parameters"]) ? operation["parameters"].map(completeParameter) : []
  const isCommand = parameters.some((parameter) => isObject(parameter) && parameter["name"] === "Idempotency-Key")
  const requestBody = objectAt(operation, "requestBody")
  return {
    ...operation,
    parameters,
    ...(requestBody === undefined
      ? {}
      : { requestBody: optionalBodies.test(path) ? { ...requestBody, required: false } : requestBody }),
    responses: completeResponses(path, objectAt(operation, "responses") ?? {}, isCommand)
  }
}

/** For the generator's own clients only. */
const withoutNotes = (key: string, value: unknown): unknown => (key === "x-effect-stream" ? undefined : value)

/** The generator names the wire side of a class `XEncoded`; readers know only the wire. */
const plainNames = (document: unknown): unknown =>
  JSON.parse(JSON.stringify(document, withoutNotes).replace(/"(#\/components\/schemas\/)?(\w+)Encoded"/g, '"$1$2"'))

export const completeDocument = (generated: Record<string, unknown>): Record<string, unknown> => {
  const plain = plainNames(generated)
  const document = isObject(plain) ? plain : generated
  const paths = objectAt(document, "paths") ?? {}
  return {
    ...document,
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, item]) => [
        path,
        isObject(item)
          ? Object.fromEntries(
              Object.entries(item).map(([method, operation]) => [
                method,
                isObject(operation) ? completeOperation(path, operation) : operation
              ])
            )
          : item
      ])
    )
  }
}
