/**
 * Serves the route handlers of examples/next over HTTP as Next's App Router does: the path of a `route.ts` below `app` is
 * its URL, `[name]` a parameter, and its exports are its methods. What only Next itself does is not here.
 */
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"

type Handler = (
  request: Request,
  context: { readonly params: Promise<Readonly<Record<string, string>>> }
) => Promise<Response>

const app = Path.resolve(import.meta.dirname, "../../examples/next/app")

const routes = await Promise.all(
  Fs.globSync("**/route.ts", { cwd: app }).map(async (file) => ({
    pattern: new RegExp(`^/${Path.posix.dirname(file).replaceAll(/\[(\w+)\]/g, "(?<$1>[^/]+)")}$`),
    handlers: (await import(pathToFileURL(Path.join(app, file)).href)) as Readonly<Record<string, Handler>>
  }))
)

const answer = async (request: Request): Promise<Response> => {
  for (const { handlers, pattern } of routes) {
    const match = pattern.exec(new URL(request.url).pathname)
    if (match === null) continue
    const handler = handlers[request.method]
    if (handler === undefined) return new Response(null, { status: 405 })
    return handler(request, { params: Promise.resolve({ ...match.groups }) })
  }
  return new Response(null, { status: 404 })
}

const server = Http.createServer((incoming, outgoing) => {
  const chunks: Array<Buffer> = []
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
  incoming.on("end", () => {
    const body = Buffer.concat(chunks)
    const request = new Request(`http://127.0.0.1${incoming.url}`, {
      method: incoming.method ?? "GET",
      ...(body.length === 0 ? {} : { body })
    })
    void answer(request).then(async (response) => {
      outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text())
    })
  })
})

server.listen(Number(process.env["PORT"]), "127.0.0.1", () => {
  const address = server.address()
  console.log(`http://127.0.0.1:${typeof address === "object" ? address?.port : address}`)
})
