/**
 * Copies of what is stored, for those who ask: a database answers with objects that are the
 * reader's own, and so must one that keeps its rows as objects.
 */

/**
 * The value with nothing of it shared that can be changed. Plain objects, lists and bytes; what
 * is frozen stays itself, since here that is only a map of metadata, whose values are strings.
 */
export const copyOf = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  if (Array.isArray(value)) return value.map(copyOf) as A
  if (value instanceof Uint8Array) return value.slice() as A
  const copy: A & object = { ...value }
  for (const name in copy) {
    if (typeof copy[name] === "object") copy[name] = copyOf(copy[name])
  }
  return copy
}
