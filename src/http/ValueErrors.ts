/**
 * What a schema finds wrong, for whoever has to mend it: the place of each value, what was
 * expected there, and never the value itself, which may be large, deep or secret.
 */
import * as SchemaIssue from "effect/SchemaIssue"
import { InvalidRequest } from "../domain/Rejection.ts"

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Longer texts are cut: they may hold names that the caller made up. */
const maxLength = 300

/** Of one request: what is well-formed JSON within the bounds of a body has hardly more. */
const maxErrors = 100

type Segment = PropertyKey | { readonly key: PropertyKey }

const keyOf = (segment: Segment): PropertyKey => (typeof segment === "object" ? segment.key : segment)

const segmentText = (segment: Segment): string => {
  const key = keyOf(segment)
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`
}

const sound = (text: string): string => text.toWellFormed().replaceAll("\u0000", "\ufffd")

const short = (text: string): string => sound(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)

/** As RFC 6901 writes it. */
const pointerText = (segment: Segment): string =>
  `/${String(keyOf(segment)).replaceAll("~", "~0").replaceAll("/", "~1")}`

/** Where the values of a request are; what its errors are prefixed with. */
export const places = {
  body: { name: "", pointer: "" },
  Params: { name: "path ", pointer: "#/path" },
  Headers: { name: "header ", pointer: "#/header" },
  Query: { name: "query ", pointer: "#/query" }
} as const

export type Place = (typeof places)[keyof typeof places]

/** All that an issue of a decoding with `errors: "all"` tells, as one error. */
export const invalidRequest = (issue: SchemaIssue.Issue, { name, pointer }: Place): InvalidRequest => {
  const found = format(issue).issues.slice(0, maxErrors)
  const [first = { message: "malformed", path: undefined }] = found
  const path = (first.path ?? []).map(segmentText).join("").replace(/^\./, "")
  return new InvalidRequest({
    detail: name + short(path === "" ? first.message : `${path}: ${first.message}`),
    errors: found.map(({ message, path = [] }) => ({
      pointer: pointer + short(path.map(pointerText).join("")),
      detail: short(message)
    }))
  })
}

/** What is wrong with one parameter of a query. */
export const wrongParameter = (name: string, what: string): InvalidRequest =>
  new InvalidRequest({
    detail: places.Query.name + short(`${name}: ${what}`),
    errors: [{ pointer: places.Query.pointer + short(pointerText(name)), detail: what }]
  })

/** The errors of one request as one; at least one. */
export const together = (errors: ReadonlyArray<InvalidRequest>): InvalidRequest =>
  new InvalidRequest({
    detail: errors[0]!.detail,
    errors: errors.flatMap((error) => error.errors).slice(0, maxErrors)
  })
