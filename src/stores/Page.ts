/** One page of a list; `next` is the opaque cursor of the page after it, `null` at the end. */
export interface Page<A> {
  readonly data: ReadonlyArray<A>
  readonly next: string | null
}

export interface PageRequest {
  /** 1–200. */
  readonly limit: number
  readonly cursor?: string | undefined
}

/** Keys per list that a cursor can carry: strings, so that nothing is lost on the way. */
export const encodeCursor = (...keys: ReadonlyArray<string>): string =>
  Buffer.from(JSON.stringify(keys), "utf8").toString("base64url")

/** `undefined` when the cursor is not one of ours with `length` keys. */
export const decodeCursor = (cursor: string, length: number): ReadonlyArray<string> | undefined => {
  if (cursor.length > 1024 || !/^[A-Za-z0-9_-]+$/.test(cursor)) return undefined
  try {
    const keys: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"))
    return Array.isArray(keys) && keys.length === length && keys.every((key) => typeof key === "string")
      ? keys
      : undefined
  } catch {
    return undefined
  }
}
