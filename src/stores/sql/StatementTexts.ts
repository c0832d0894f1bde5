/**
 * The texts of a statement with optional parts. A session plans a prepared statement
 * once, for the tables as they are. A text that changes whenever the number of calls
 * has doubled makes it plan again, so that a plan made for an empty table does not
 * serve a large one.
 */
export const statementTexts = <Parts>(
  write: (parts: Parts) => string,
  /** Names what of the parts makes a difference. */
  variantOf: (parts: Parts) => string
): ((parts: Parts) => string) => {
  /** At most one for each variant and doubling. */
  const texts = new Map<string, string>()
  let sent = 0
  return (parts) => {
    const doublings = Math.floor(Math.log2(++sent))
    const variant = `${doublings} ${variantOf(parts)}`
    const known = texts.get(variant)
    if (known !== undefined) return known
    const text = `/* plan ${doublings} */${write(parts)}`
    texts.set(variant, text)
    return text
  }
}
