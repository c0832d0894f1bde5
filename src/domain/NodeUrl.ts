/** Where clients reach one node of a service: it goes into a header as it is, and paths are put behind it as they are. */
const pattern = /^https?:\/\/[\x21-\x7e]{1,240}$/

/** What would put a path elsewhere, or a key into an address. */
const misleading = /[?#@,\\]|\/$/

/** `http://host:port` or `https://host:port`, with a path or without, and no slash at its end. */
export const isNodeUrl = (text: string): boolean => pattern.test(text) && !misleading.test(text) && URL.canParse(text)
