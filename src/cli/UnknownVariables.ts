/**
 * Variables that begin like ours and that nothing reads: a name with a slip in it would
 * leave a bound at its default, and nobody would notice.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"

/** What the names of variables begin with that nobody else reads, as the provider splits them. */
const ours = ["WALLET", "ELASTICSEARCH"]

/** Without the second those that begin with the first are of no use. */
const needs = ["ELASTICSEARCH", "ELASTICSEARCH_URL"] as const

export interface UnknownVariable {
  readonly name: string
  /** It is read, and changes nothing without this one. */
  readonly needs?: string | undefined
  /** A name that is read and looks like it; `undefined`: there is none. */
  readonly nearest: string | undefined
}

/** Letters to change, to add or to leave out until one text is the other. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** Names differ by so many letters at most, of so many, to be taken for one another. */
const likeness = 3

const nearestOf = (name: string, read: ReadonlySet<string>): string | undefined => {
  const plain = name.slice(name.indexOf("_") + 1)
  const [nearest] = Array.from(read, (other) => ({
    other,
    letters: Math.min(distance(name, other), distance(plain, other))
  })).sort((a, b) => a.letters - b.letters)
  return nearest !== undefined && nearest.letters <= plain.length / likeness ? nearest.other : undefined
}

/** All names below `path` that have a value. */
const namesBelow = (
  provider: ConfigProvider.ConfigProvider,
  path: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, ConfigProvider.SourceError> =>
  Effect.flatMap(provider.load(path), (node) => {
    if (node === undefined) return Effect.succeed([])
    const own = node.value === undefined ? [] : [path.join("_")]
    const children =
      node._tag === "Record"
        ? [...node.keys]
        : node._tag === "Array"
          ? Array.from({ length: node.length }, (_, index) => String(index))
          : []
    return Effect.map(
      Effect.forEach(children, (key) => namesBelow(provider, [...path, key])),
      (below) => [...own, ...below.flat()]
    )
  })

/** Reads a configuration, and tells which of our own variables are set that it has not looked for. */
export const withUnknown = Effect.fnUntraced(function* <A, E>(read: Effect.Effect<A, E>) {
  const provider = yield* ConfigProvider.ConfigProvider
  const names = new Set<string>()
  const recording = ConfigProvider.make((path) => {
    names.add(path.join("_"))
    return provider.load(path)
  })
  const value = yield* Effect.provideService(read, ConfigProvider.ConfigProvider, recording)
  const below = Effect.forEach(ours, (beginning) => namesBelow(provider, [beginning]))
  const set = (yield* Effect.orElseSucceed(below, (): ReadonlyArray<ReadonlyArray<string>> => [])).flat()
  const [beginning, needed] = needs
  const isIdle = (name: string) => !set.includes(needed) && name.startsWith(`${beginning}_`)
  const unknown = set
    .filter((name) => !names.has(name) || isIdle(name))
    .sort()
    .map((name): UnknownVariable =>
      names.has(name) ? { name, needs: needed, nearest: undefined } : { name, nearest: nearestOf(name, names) }
    )
  return { value, unknown }
})

/** One line for whoever set it. */
export const unknownLine = ({ name, nearest, needs }: UnknownVariable): string =>
  needs !== undefined
    ? `the variable ${name} changes nothing without ${needs}`
    : `the variable ${name} is not known and changes nothing` +
      (nearest === undefined ? ": docs/OPERATIONS.md has the names" : `: is ${nearest} meant?`)
