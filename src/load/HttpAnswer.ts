/** Where an HTTP/1.1 answer ends: enough of the protocol to drive a service that says its lengths. */

/** Bytes of the whole answer at the start of `buffer`; `-1`: more to come; `undefined`: not what we read. */
export const answerLength = (buffer: Buffer): number | undefined => {
  const headEnd = buffer.indexOf("\r\n\r\n")
  if (headEnd === -1) return buffer.length > 65_536 ? undefined : -1
  const head = buffer.toString("latin1", 0, headEnd)
  const match = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (match === null) return /^HTTP\/1\.1 (?:204|304)/.test(head) ? headEnd + 4 : undefined
  return headEnd + 4 + Number(match[1])
}
