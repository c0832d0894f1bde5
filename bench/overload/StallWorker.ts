/** Sends one pattern of `StallPatterns.ts`, and ends when it is answered; its argument is a {@link StallOptions}. */
import * as Net from "node:net"
import * as Process from "node:process"
import { type StallPattern, stallPatterns, type StallTarget } from "./StallPatterns.ts"

export interface StallOptions extends StallTarget {
  readonly pattern: string
  /** Milliseconds for which readers that never read hold their connections. */
  readonly millis: number
}

const mark = "HTTP/1.1 "

/** Ends with so many answers, or when the server has closed the connection. */
const send = ({ host, millis, port }: StallOptions, bytes: string, answers: StallPattern["answers"]) =>
  new Promise<void>((resolve) => {
    const socket = Net.connect({ host, port }, () => socket.write(bytes))
    const end = () => {
      socket.destroy()
      resolve()
    }
    socket.on("error", end)
    socket.on("close", end)
    if (answers === null) {
      socket.pause()
      setTimeout(end, millis)
      return
    }
    let count = 0
    let rest = ""
    socket.on("data", (chunk: Buffer) => {
      const text = rest + chunk.toString("latin1")
      const parts = text.split(mark)
      count += parts.length - 1
      rest = parts.at(-1)!.slice(-(mark.length - 1))
      if (count >= answers) end()
    })
  })

const options = JSON.parse(Process.argv[2] ?? "{}") as StallOptions
const pattern = stallPatterns.find(({ name }) => name === options.pattern)
if (pattern === undefined) throw new Error(`there is no pattern ${options.pattern}`)
const bytes = pattern.bytes(options)
await Promise.all(Array.from({ length: pattern.connections }, () => send(options, bytes, pattern.answers)))
