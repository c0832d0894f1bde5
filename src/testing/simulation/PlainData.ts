/** Plain data with amounts: whether two are equal, where they differ, how one reads. */

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A field that is `undefined` is as good as none. */
export const isSame = (one: unknown, other: unknown): boolean => {
  if (one === other) return true
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, index) => isSame(item, other[index]))
  }
  if (!isRecord(one) || !isRecord(other)) return false
  const keys = new Set([...Object.keys(one), ...Object.keys(other)])
  for (const key of keys) if (!isSame(one[key], other[key])) return false
  return true
}

/** For a reader: what differs, field by field. */
export const difference = (one: unknown, other: unknown): string => {
  if (!isRecord(one) || !isRecord(other)) return `${textOf(one)} against ${textOf(other)}`
  const keys = new Set([...Object.keys(one), ...Object.keys(other)])
  return Array.from(keys)
    .filter((key) => !isSame(one[key], other[key]))
    .map((key) => `${key} ${textOf(one[key])} against ${textOf(other[key])}`)
    .join(", ")
}

export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}` : part)) ?? "undefined"
