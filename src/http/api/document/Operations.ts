/**
 * Operations in the OpenAPI document: their names, what their parameters are, the headers of replies,
 * and the problems that each can answer, with one schema for all of them.
 */
import { problemStatus, type ProblemCode } from "../Problem.ts"
import { outcomeName } from "./CommandSchemas.ts"
import { isObject, type Json, listAt, mapValues, objectAt, schemaNameOf, schemaRef, without } from "./JsonTree.ts"
import { parameterExamples } from "./ParameterExamples.ts"
import { meanings, pathMeanings } from "./ParameterMeanings.ts"
import { bookDate, metadataFilter } from "./ValueSchemas.ts"

// --- Names -------------------------------------------------------------------

/** Where verb and group make no good name. */
const operationNames: Readonly<Record<string, string>> = {
  "wallets.transactions": "listWalletTransactions",
  "wallets.statement": "getWalletStatement",
  "wallets.events": "listWalletEvents",
  "inspection.actors": "getActors",
  "inspection.stores": "getWalletStores",
  "inspection.verify": "verifyWallet",
  "stats.read": "readStats",
  "feed.head": "getFeedHead",
  "keys.self": "getOwnKey",
  "health.live": "getLiveness",
  "health.ready": "getReadiness",
  "health.metrics": "getMetrics"
}

/** Of many things, not of one. */
const plural = new Set(["list", "search"])

/** `wallets.create` is `createWallet`, `holds.search` is `searchHolds`. */
const operationName = (id: string): string => {
  const [group = "", verb = ""] = id.split(".")
  const thing = plural.has(verb) ? group : group.replace(/s$/, "")
  return operationNames[id] ?? `${verb}${thing.charAt(0).toUpperCase()}${thing.slice(1)}`
}

// --- Headers -----------------------------------------------------------------

export const headers: Json = {
  "Idempotency-Replayed": {
    description: "`true`: the key was known, this is the first answer again.",
    schema: { type: "string", enum: ["true"] },
    example: "true"
  },
  ETag: {
    description: "The wallet's version in double quotes, as `If-Match` takes it. Not of a dry run.",
    schema: { type: "string", pattern: '^"(?:0|[1-9][0-9]{0,15})"$' },
    example: '"7"'
  },
  "Retry-After": {
    description: "Whole seconds, 1 or more, after which the same request may be sent again.",
    schema: { type: "integer", format: "int32", minimum: 1 },
    example: 1
  },
  Allow: { description: "The methods that the path takes.", schema: { type: "string" }, example: "GET, HEAD, OPTIONS" },
  "X-Request-Id": {
    description: "The request's, as it was given or made. Quote it to whoever runs the service.",
    schema: { type: "string" },
    example: "0198c1f0-9f6b-7c1e-8d2a-3f4b5c6d7e8f"
  },
  "X-Wallet-Node": {
    description:
      "Of a service of several nodes that say where they are: the one that owns the wallet, of a transfer that of its first source. It is asked there without a way between nodes.",
    schema: { type: "string", format: "uri" },
    example: "https://wallet-2.example"
  },
  "Opening-Balance": { description: "Of a CSV: before its first row.", schema: schemaRef("Sum"), example: "0" },
  "Closing-Balance": { description: "Of a CSV: after its last row.", schema: schemaRef("Sum"), example: "1050" },
  Link: {
    description: 'Of a page of a CSV: the next one, with `rel="next"`.',
    schema: { type: "string" },
    example: '</v1/wallets/alice/statement?limit=1&cursor=NTE>; rel="next"'
  }
}

const headerRefs = (...names: ReadonlyArray<string>): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))

const retryable = new Set(["409", "429", "503"])

/** Whether its answers show one wallet as it is. */
const showsWallet = (path: string, isCommand: boolean): boolean =>
  path === "/v1/wallets/{id}" ||
  (isCommand && (path.startsWith("/v1/wallets") || path === "/v1/transactions/{id}/refund"))

/** Whether its answers name the node of a wallet. */
const isOfWallet = (path: string, isCommand: boolean): boolean =>
  path.startsWith("/v1/wallets/{id}") || (isCommand && (path === "/v1/wallets" || path === "/v1/transfers"))

interface Replying {
  readonly path: string
  readonly summary: string
  readonly isCommand: boolean
}

const headersOf = (status: string, { isCommand, path }: Omit<Replying, "summary">): Json => ({
  ...headerRefs("X-Request-Id"),
  // An outcome that was reversed is told again, too.
  ...(isCommand && (status.startsWith("2") || status === "422") ? headerRefs("Idempotency-Replayed") : {}),
  ...(status.startsWith("2") && showsWallet(path, isCommand) ? headerRefs("ETag") : {}),
  ...(retryable.has(status) ? headerRefs("Retry-After") : {}),
  ...(status !== "401" && status !== "403" && isOfWallet(path, isCommand) ? headerRefs("X-Wallet-Node") : {}),
  ...(status === "405" ? headerRefs("Allow") : {}),
  ...(status === "200" && path.endsWith("/statement") ? headerRefs("Opening-Balance", "Closing-Balance", "Link") : {})
})

// --- Parameters --------------------------------------------------------------

const wholeNumber: Json = { type: "integer", format: "int64", minimum: 0, maximum: Number.MAX_SAFE_INTEGER }

/** By name; on the wire all are texts, and the server's schemas say so. */
const parameterSchemas: Readonly<Record<string, Json>> = {
  limit: { type: "integer", format: "int32", minimum: 1, maximum: 200, default: 50 },
  minVersion: wholeNumber,
  atVersion: wholeNumber,
  after: wholeNumber,
  "Last-Event-ID": wholeNumber,
  dryRun: { type: "boolean", default: false },
  "If-Match": { type: "string", pattern: '^(?:\\*|"(?:0|[1-9][0-9]{0,15})")$' },
  "Idempotency-Key": schemaRef("IdempotencyKey")
}

/** HTTP reads the names of headers in any case; these are written as usual. */
const headerNames: Readonly<Record<string, string>> = {
  "idempotency-key": "Idempotency-Key",
  "if-match": "If-Match",
  "last-event-id": "Last-Event-ID"
}

const schemaOf = (name: string, given: Json): Json => {
  if (name === "metadata") return metadataFilter
  const of = given["schema"]
  const isDate = (name === "from" || name === "to") && schemaNameOf(of) === undefined
  return isDate ? bookDate : (parameterSchemas[name] ?? (isObject(of) ? without(of, "description") : {}))
}

const parameter = (given: Json): Json => {
  const name = headerNames[String(given["name"])] ?? String(given["name"])
  const own = objectAt(given, "schema")["description"]
  const example = parameterExamples[name]
  return {
    ...given,
    name,
    // A dry run may go without a key; whoever sends one is not wrong, and a client is made for commands.
    ...(name === "Idempotency-Key" ? { required: true } : {}),
    description: own ?? given["description"] ?? (given["in"] === "path" ? pathMeanings : meanings)[name] ?? name,
    schema: schemaOf(name, given),
    ...(example === undefined ? {} : { example })
  }
}

// --- Replies -----------------------------------------------------------------

const problemMedia = "application/problem+json"

/** Requests that no operation takes are answered on its path, too. */
const byMethod = { "405": ["MethodNotAllowed"] } as const

const codesIn = (schema: Json): ReadonlyArray<ProblemCode> =>
  [schema, ...listAt(schema, "anyOf"), ...listAt(schema, "oneOf")]
    .map(schemaNameOf)
    .filter((name): name is ProblemCode => name !== undefined && Object.hasOwn(problemStatus, name))

export const problemExampleRef = (code: string): Json => ({ $ref: `#/components/examples/${code}` })

const problemContent = (codes: ReadonlyArray<string>): Json => ({
  [problemMedia]: {
    schema: schemaRef("Problem"),
    examples: Object.fromEntries(codes.map((code) => [code, problemExampleRef(code)]))
  }
})

const problemReply = (codes: ReadonlyArray<string>): Json => ({
  description: codes.map((code) => `\`${code}\``).join(", "),
  content: problemContent(codes)
})

const answerDescriptions: Readonly<Record<string, string>> = {
  "200": "Done.",
  "201": "Done, and as durable as asked for.",
  "202":
    "In the log, and not as durable as asked for within the wait: `durability` says how far. It may still be reversed.",
  "204": "Done."
}

/** The answer of a command in the place of its dry run's: generated clients read all answers by the first. */
const outcomeOf = (schema: unknown): unknown => {
  const names = [schema, ...listAt(schema, "anyOf")].map(schemaNameOf)
  const dry = names.find((name) => name?.startsWith("DryRun"))
  return dry === undefined ? schema : schemaRef(outcomeName(dry.slice("DryRun".length)))
}

const answerContent = (content: Json): Json =>
  mapValues(content, (media) => {
    if (!isObject(media)) return media
    return { ...media, schema: outcomeOf(media["schema"]) }
  })

const isDryRun = (schema: unknown): boolean => schemaNameOf(outcomeOf(schema))?.endsWith("Outcome") ?? false

const answerDescription = (status: string, schema: unknown, { isCommand, summary }: Replying): string => {
  const done = isCommand ? answerDescriptions[status] : undefined
  return isDryRun(schema) ? `${done} Of a dry run: what it would come to.` : (done ?? `${summary}.`)
}

const reply = (status: string, given: Json, replying: Replying): Json => {
  const content = objectAt(given, "content")
  const codes = codesIn(objectAt(objectAt(content, problemMedia), "schema"))
  const made =
    codes.length > 0
      ? problemReply(codes)
      : {
          ...given,
          description: answerDescription(status, objectAt(content, "application/json")["schema"], replying),
          ...(Object.keys(content).length === 0 ? {} : { content: answerContent(content) })
        }
  return { ...made, headers: headersOf(status, replying) }
}

const replies = (given: Json, replying: Replying): Json => {
  const all = { ...given, ...mapValues(byMethod, (codes) => problemReply(codes as ReadonlyArray<string>)) }
  return mapValues(all, (one, status) => reply(status, isObject(one) ? one : {}, replying))
}

// --- Operations --------------------------------------------------------------

/** The bodies that may be left out: all their fields are optional. */
const optionalBodies =
  /^\/v1\/(?:wallets\/\{id\}\/(?:freeze|unfreeze|close|verify|holds\/\{holdId\}\/capture)|(?:transactions|transfers)\/\{id\}\/refund|keys\/\{id\}\/roll|webhooks\/\{id\}\/secret)$/

export const completeOperation = (path: string, operation: Json): Json => {
  const parameters = listAt(operation, "parameters").filter(isObject).map(parameter)
  const isCommand = parameters.some(({ name }) => name === "Idempotency-Key")
  const body = operation["requestBody"]
  return {
    ...operation,
    operationId: operationName(String(operation["operationId"])),
    description: operation["description"] || operation["summary"],
    parameters,
    ...(isObject(body) ? { requestBody: { ...body, required: !optionalBodies.test(path) } } : {}),
    responses: replies(objectAt(operation, "responses"), { path, summary: String(operation["summary"]), isCommand })
  }
}
