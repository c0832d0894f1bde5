/**
 * The OpenAPI document as readers and generators of clients get it: what the generator makes of the
 * definition, completed by what the definition has no place for. The parts are in `document`.
 */
import * as OpenApi from "effect/http-api/OpenApi"
import { WalletApi } from "./Api.ts"
import { withCommandSchemas, withOpenAnswers } from "./document/CommandSchemas.ts"
import { withEventSchemas } from "./document/EventSchemas.ts"
import { exampleComponents, examplesOf, textExamples } from "./document/Examples.ts"
import {
  isObject,
  type Json,
  listAt,
  mapValues,
  objectAt,
  rewrite,
  schemaNameOf,
  schemaRef
} from "./document/JsonTree.ts"
import { completeOperation, headers } from "./document/Operations.ts"
import { withProblemSchemas } from "./document/ProblemSchemas.ts"
import { namedValueSchemas, withNamedValues } from "./document/ValueSchemas.ts"

/** For the generator's own clients only. */
const withoutNotes = (key: string, value: unknown): unknown => (key === "x-effect-stream" ? undefined : value)

/** The generator names the wire side of a class `XEncoded`; readers know only the wire. */
const plainNames = (document: unknown): unknown =>
  JSON.parse(JSON.stringify(document, withoutNotes).replace(/"(#\/components\/schemas\/)?(\w+)Encoded"/g, '"$1$2"'))

const servers = [
  { url: "/", description: "The installation that this document comes from." },
  { url: "http://127.0.0.1:3000", description: "One that was started with nothing configured." }
]

const tagDescriptions: Readonly<Record<string, string>> = {
  wallets: "Balances, what changes them, and what happened to one wallet.",
  holds: "Money set aside in a wallet, to be captured or released.",
  transfers: "Money from one wallet to another, or between several at once.",
  transactions: "What has moved balances: search, reading and refunds.",
  stats: "Sums of transactions and balances.",
  batch: "Many commands in one request.",
  feed: "Every event of the log, as it comes.",
  webhooks: "Events posted to an address of yours.",
  keys: "API keys: their scopes, what else they are kept to, their secrets.",
  audit: "What admins have done, and what keys were refused.",
  inspection: "One wallet in every store, its comparison with the log, and the actors of a node.",
  cluster: "The nodes, for whoever runs them.",
  health: "For probes and scrapers; without a key."
}

const withDescription = (tag: unknown): unknown => {
  const description = isObject(tag) ? tagDescriptions[String(tag["name"])] : undefined
  return isObject(tag) && description !== undefined ? { ...tag, description } : tag
}

// --- Media -------------------------------------------------------------------

const textSchemas: Readonly<Record<string, Json>> = {
  "text/event-stream": {
    type: "string",
    description: "Server-sent events.",
    contentMediaType: "text/event-stream",
    contentSchema: schemaRef("FeedEvent")
  }
}

/** Examples by the schema, or by the type of what is no JSON. */
const withExamples = (media: unknown, type: string): unknown => {
  if (!isObject(media) || media["examples"] !== undefined) return media
  const [plain = ""] = type.split(";")
  const text = textExamples[plain]
  if (text !== undefined) {
    return { ...media, schema: textSchemas[plain] ?? media["schema"], examples: { text: { value: text } } }
  }
  const examples = examplesOf(schemaNameOf(media["schema"]) ?? "")
  return examples === undefined ? media : { ...media, examples }
}

const withMediaExamples = (operation: unknown): unknown =>
  rewrite(operation, (node) =>
    isObject(node["content"]) ? { ...node, content: mapValues(node["content"], withExamples) } : node
  )

// --- Schemas -----------------------------------------------------------------

/** The schemas that a node refers to, and those that they do. */
const reachable = (from: unknown, schemas: Json): ReadonlySet<string> => {
  const found = new Set<string>()
  const visit = (node: unknown): void => {
    rewrite(node, (one) => {
      const name = schemaNameOf(one)
      if (name !== undefined && !found.has(name)) {
        found.add(name)
        visit(schemas[name])
      }
      return one
    })
  }
  visit(from)
  return found
}

const byName = (schemas: Json): Json =>
  Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))

const operationsOf = (paths: Json): ReadonlyArray<Json> =>
  Object.values(paths).flatMap((item) => (isObject(item) ? Object.values(item).filter(isObject) : []))

const completeSchemas = (generated: Json, paths: Json): Json => {
  const made = withCommandSchemas(withEventSchemas(withProblemSchemas(generated)))
  const named = { ...(withNamedValues(made) as Json), ...namedValueSchemas() }
  const sent = reachable(
    operationsOf(paths).map((operation) => operation["requestBody"]),
    named
  )
  const used = reachable([operationsOf(paths), textSchemas], named)
  return byName(withOpenAnswers(Object.fromEntries(Object.entries(named).filter(([name]) => used.has(name))), sent))
}

// --- The document ------------------------------------------------------------

const completePaths = (generated: Json): Json =>
  mapValues(withNamedValues(generated) as Json, (item, path) =>
    isObject(item)
      ? mapValues(item, (operation) =>
          isObject(operation) ? withMediaExamples(completeOperation(path, operation)) : operation
        )
      : item
  )

const completeDocument = (generated: Record<string, unknown>): Record<string, unknown> => {
  const plain = plainNames(generated)
  const document = isObject(plain) ? plain : generated
  const components = objectAt(document, "components")
  const paths = completePaths(objectAt(document, "paths"))
  return {
    ...document,
    openapi: "3.1.0",
    info: {
      ...objectAt(document, "info"),
      license: { name: "MIT", identifier: "MIT" },
      contact: { name: "Whoever runs this installation" }
    },
    servers,
    paths,
    components: {
      ...components,
      schemas: completeSchemas(objectAt(components, "schemas"), paths),
      headers,
      examples: exampleComponents()
    },
    tags: listAt(document, "tags").map(withDescription)
  }
}

const documented = WalletApi.annotateMerge(OpenApi.annotations({ transform: completeDocument }))

/** OpenAPI 3.1, as `/openapi.json` serves it. */
export const openApiDocument = (): OpenApi.OpenAPISpec => OpenApi.fromApi(documented)
