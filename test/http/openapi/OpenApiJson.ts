/** The OpenAPI document as its readers get it, and validators by its schemas. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import * as AjvFormats from "ajv-formats"
import { openApiDocument } from "../../../src/http/api/OpenApiDocument.ts"

export type Json = Record<string, unknown>

export interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly required?: boolean
  readonly description: string
  readonly schema: Json
  readonly style?: string
  readonly example?: unknown
}

type Example = { readonly $ref: string } | { readonly value: unknown }

export interface Media {
  readonly schema: Json
  readonly examples?: Readonly<Record<string, Example>>
}

export interface Answer {
  readonly description: string
  readonly headers?: Readonly<Record<string, { readonly $ref: string }>>
  readonly content?: Readonly<Record<string, Media>>
}

interface Described {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly tags: ReadonlyArray<string>
  readonly parameters: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<Record<string, Answer>>
}

export interface Operation extends Described {
  readonly method: string
  readonly path: string
}

export interface Document {
  readonly openapi: string
  readonly info: Json
  readonly servers: ReadonlyArray<{ readonly url: string }>
  readonly tags: ReadonlyArray<{ readonly name: string; readonly description?: string }>
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>
    readonly headers: Json
    readonly examples: Readonly<Record<string, { readonly value: unknown }>>
    readonly securitySchemes: Json
  }
}

export const document: Document = JSON.parse(JSON.stringify(openApiDocument()))

export const operations: ReadonlyArray<Operation> = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ ...operation, method, path }))
)

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** Every node of a tree with the path to it. */
export const nodesOf = (node: unknown, path = "#"): ReadonlyArray<readonly [string, Json]> => {
  const inside = Object.entries(isObject(node) || Array.isArray(node) ? node : {}).flatMap(([key, value]) =>
    nodesOf(value, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`)
  )
  return isObject(node) ? [[path, node], ...inside] : inside
}

/** What a reference within the document is to. */
export const referred = (ref: string): unknown =>
  ref
    .slice(2)
    .split("/")
    .reduce<unknown>(
      (node, step) => (isObject(node) ? node[step.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined),
      document
    )

const isNamed = (schema: Json): boolean =>
  isObject(schema["properties"]) && schema["additionalProperties"] === undefined

/** Readers let new members of an answer be; a test of ours does not: the document has all of them. */
const closed = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(closed)
  if (!isObject(node)) return node
  const made = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]))
  return made["type"] === "object" && isNamed(made) && made["oneOf"] === undefined
    ? { ...made, additionalProperties: false }
    : made
}

const ajv = new Ajv2020({ strict: false, allErrors: false, discriminator: false })
AjvFormats.default.default(ajv)
ajv.addSchema({ $id: "openapi", ...(closed({ components: { schemas: document.components.schemas } }) as Json) })

const compiled = new Map<string, ValidateFunction>()

const absolute = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(absolute)
  if (!isObject(node)) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "$ref" && typeof value === "string" ? `openapi${value}` : absolute(value)
    ])
  )
}

/** Why `value` is not what `schema` says, or `undefined`. Members that the schema does not name are a fault. */
export const faultOf = (schema: Json, value: unknown): string | undefined => {
  const key = JSON.stringify(schema)
  const validate = compiled.get(key) ?? ajv.compile(absolute(schema) as Json)
  compiled.set(key, validate)
  return validate(value) ? undefined : ajv.errorsText(validate.errors)
}

export const schemaOf = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

export const exampleOf = (example: Example): unknown =>
  "value" in example ? example.value : (referred(example.$ref) as { readonly value: unknown }).value
