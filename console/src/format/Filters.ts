/** What is typed into the box of "Find", as filters and words, and back. Pure. */

/** By the API's own names of parameters, `metadata[key]` among them. */
export type Filters = Readonly<Record<string, string>>

/** What people type for them. */
const names: Readonly<Record<string, string>> = {
  owner: "ownerId",
  currency: "currency",
  status: "status",
  type: "type",
  ref: "reference",
  reference: "reference",
  key: "idempotencyKey",
  wallet: "walletId",
  transfer: "transferId",
  hold: "holdId",
  refundof: "refundOf",
  from: "from",
  to: "to",
  min: "minAmount",
  max: "maxAmount",
  minbalance: "minBalance",
  maxbalance: "maxBalance",
  expires: "expiresBefore"
}

const token = /([A-Za-z]+(?:\.[^\s:"[\]]+)?):(?:"([^"]*)"|(\S+))|"([^"]*)"|(\S+)/g

/** `owner:ann ref:"invoice 9" meta.plan:gold two words`: what has no name that is known is words to look for. */
export const parseFind = (text: string): Filters => {
  const filters = new Map<string, string>()
  const words: Array<string> = []
  for (const [whole, name, inQuotes, bare, words1, word] of text.matchAll(token)) {
    const value = inQuotes ?? bare
    if (name !== undefined && value !== undefined) {
      const meta = /^meta(?:data)?\.(.+)$/i.exec(name)?.[1]
      const known = meta === undefined ? names[name.toLowerCase()] : `metadata[${meta}]`
      if (known !== undefined && value !== "") {
        filters.set(known, value)
        continue
      }
    }
    const plain = words1 ?? word ?? whole
    if (plain !== "") words.push(plain)
  }
  if (words.length > 0) filters.set("q", words.join(" "))
  return Object.fromEntries(filters)
}

/** As a chip says it: `owner: ann`. */
export const chipOf = (name: string, value: string): string => {
  const meta = /^metadata\[(.*)\]$/s.exec(name)?.[1]
  const typed = meta === undefined ? Object.keys(names).find((one) => names[one] === name) : `meta.${meta}`
  return name === "q" ? `“${value}”` : `${typed ?? name}: ${value}`
}

/** What could be an id of anything. */
export const looksLikeId = (text: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(text)
