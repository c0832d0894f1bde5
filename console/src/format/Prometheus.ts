/** The page of `/metrics` as numbers. These are counts, seconds and bytes: no money is among them. Pure. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export type Samples = ReadonlyMap<string, ReadonlyArray<Sample>>

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/

const unescaped = (text: string): string => text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char))

const labelsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Array.from(text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, name = "", value = ""]) => [name, unescaped(value)])
  )

/** Lines that are not understood are left out. */
export const parseMetrics = (page: string): Samples => {
  const samples = new Map<string, Array<Sample>>()
  for (const text of page.split("\n")) {
    const match = line.exec(text)
    if (match === null) continue
    const [, name = "", labels = "", value = ""] = match
    const known = samples.get(name) ?? []
    known.push({ labels: labelsOf(labels), value: Number(value.replace("Inf", "Infinity")) })
    samples.set(name, known)
  }
  return samples
}

/** Of all series of a name that `where` lets through; `undefined`: there is none. */
export const sumOf = (
  samples: Samples,
  name: string,
  where: (labels: Readonly<Record<string, string>>) => boolean = () => true
): number | undefined => {
  const found = samples.get(name)?.filter(({ labels }) => where(labels)) ?? []
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0)
}
