import { assert, describe, it } from "vitest"
import * as Redacted from "effect/Redacted"
import { makeScrub, withoutCredentials } from "../../src/cli/Secrets.ts"

const scrub = (secrets: ReadonlyArray<string>, urls: ReadonlyArray<string> = []) =>
  makeScrub({ secrets: secrets.map((text) => Redacted.make(text)), urls: urls.map((text) => Redacted.make(text)) })

describe("what is printed or sent", () => {
  const cases: ReadonlyArray<readonly [title: string, text: string, expected: string]> = [
    [
      "a URL's credentials",
      "cannot reach postgres://app:hush@db:5432/app?ssl=true now",
      "cannot reach postgres://<redacted>@db:5432/app?ssl=true now"
    ],
    ["a URL's user alone", "redis://hush@cache", "redis://<redacted>@cache"],
    [
      "a password that contains an @",
      "kurrentdb+discover://a:b@c@n1,n2:2113",
      "kurrentdb+discover://<redacted>@n1,n2:2113"
    ],
    ["a bearer token", "Authorization: Bearer ewk_abc-123", "Authorization: Bearer <redacted>"],
    ["nothing of a URL without credentials", "see http://host/@me and a@b", "see http://host/@me and a@b"]
  ]
  for (const [title, text, expected] of cases) {
    it(`has no secret: ${title}`, () => assert.strictEqual(withoutCredentials(text), expected))
  }

  it("has a configured secret in none of its spellings", () => {
    const hide = scrub(["api-key-1234"], ["postgres://app:p%40ss%22word@db/app", "kurrentdb://u:hush-hush@k:2113"])
    const text = 'api-key-1234, p%40ss%22word, p@ss"word, p@ss\\"word, hush-hush'
    assert.strictEqual(hide(text), Array.from({ length: 5 }, () => "<redacted>").join(", "))
  })

  it("has a password that the query of a URL carries hidden, too", () => {
    assert.strictEqual(scrub([], ["postgres://db/app?user=a&password=hush-hush"])("with hush-hush"), "with <redacted>")
  })

  it("stays readable when a secret is very short, or there is none", () => {
    assert.strictEqual(scrub(["a", ""], ["postgres://u:b@h/d", "postgres://h/d", "nonsense"])("a bad day"), "a bad day")
  })
})
