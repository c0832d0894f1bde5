/**
 * Puts what a reference of a document names in its place, in the stead of `openapi-resolver`, which is a fifth of the page
 * of the API: it reads YAML and follows references into other documents, and the page's one document is JSON without any.
 */

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

interface Reference {
  readonly $ref: string
  readonly [key: string]: Json
}

const isReference = (value: object): value is Reference => "$ref" in value && typeof value.$ref === "string"

const nameOf = (reference: string): string => reference.slice(reference.lastIndexOf("/") + 1)

/** RFC 6901, as the fragment of an address. */
const follow = (document: Json, reference: string): { readonly [key: string]: Json } => {
  const found = reference
    .slice(2)
    .split("/")
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<Json>((at, part) => (at as { readonly [key: string]: Json })?.[part] ?? null, document)
  if (!reference.startsWith("#/") || found === null || typeof found !== "object") {
    throw new Error(`${reference} names nothing in the document`)
  }
  return found as { readonly [key: string]: Json }
}

/** `within`: the references that this value came by. One that names itself stays, marked as the page expects it. */
const resolve = (value: Json, document: Json, within: ReadonlyArray<string>): Json => {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map((item) => resolve(item, document, within))
  if (isReference(value)) {
    const { $ref, ...own } = value
    const name = nameOf($ref)
    if (within.includes($ref)) return { ...value, title: name, circularReference: { $ref, name, id: name } }
    return resolve({ title: name, ...follow(document, $ref), ...own }, document, [...within, $ref])
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, document, within)]))
}

/** Another address is asked as a page asks it; the page tries again where this fails. */
export default (given: string | URL | { readonly [key: string]: Json }): Promise<Json> => {
  if (typeof given !== "string" && !(given instanceof URL)) return Promise.resolve(resolve(given, given, []))
  return fetch(given).then((answer) => {
    if (!answer.ok) throw new Error(`${String(given)} answers ${answer.status}`)
    return answer.text().then((text) => {
      const document: Json = JSON.parse(text)
      return resolve(document, document, [])
    })
  })
}
