/** What the parts of the OpenAPI document are read and changed by: plain JSON. */

export type Json = Record<string, unknown>

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The object under that name, or an empty one. */
export const objectAt = (value: unknown, key: string): Json => {
  const found = isObject(value) ? value[key] : undefined
  return isObject(found) ? found : {}
}

export const listAt = (value: unknown, key: string): ReadonlyArray<unknown> => {
  const found = isObject(value) ? value[key] : undefined
  return Array.isArray(found) ? found : []
}

export const mapValues = (object: Json, change: (value: unknown, key: string) => unknown): Json =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]))

/** Every node of a tree, from its leaves upwards, as `change` makes it. */
export const rewrite = (node: unknown, change: (node: Json) => unknown): unknown => {
  if (Array.isArray(node)) return node.map((item) => rewrite(item, change))
  return isObject(node) ? change(mapValues(node, (value) => rewrite(value, change))) : node
}

export const without = (object: Json, ...names: ReadonlyArray<string>): Json =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))

const schemaPrefix = "#/components/schemas/"

export const schemaRef = (name: string): { readonly $ref: string } => ({ $ref: schemaPrefix + name })

/** The name of the schema that a node refers to. */
export const schemaNameOf = (node: unknown): string | undefined => {
  const ref = isObject(node) ? node["$ref"] : undefined
  return typeof ref === "string" && ref.startsWith(schemaPrefix) ? ref.slice(schemaPrefix.length) : undefined
}
