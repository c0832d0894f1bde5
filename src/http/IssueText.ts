/**
 * What is wrong with a value, in one line: where and what was expected. Never
 * the value itself, which may be large, deep or secret.
 */
import * as SchemaIssue from "effect/SchemaIssue"

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Longer texts are cut: the path may hold names that the caller made up. */
const maxLength = 300

const segmentText = (segment: PropertyKey | { readonly key: PropertyKey }): string => {
  const key = typeof segment === "object" ? segment.key : segment
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`
}

export const issueText = (issue: SchemaIssue.Issue): string => {
  const first = format(issue).issues[0]
  if (first === undefined) return "malformed"
  const path = (first.path ?? []).map(segmentText).join("").replace(/^\./, "")
  const text = path === "" ? first.message : `${path}: ${first.message}`
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return short.toWellFormed().replaceAll("\u0000", "\ufffd")
}
