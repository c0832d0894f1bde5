/** The two calls of `i18next` that the page of the API makes: a text by its path, of the browser's language or in English. */

interface Texts {
  readonly [part: string]: string | Texts
}

interface Options {
  readonly lng: string
  readonly fallbackLng: string
  readonly resources: { readonly [language: string]: { readonly translation: Texts } }
}

let languages: ReadonlyArray<Texts> = []

const find = (texts: Texts, path: string): string | undefined => {
  const found = path
    .split(".")
    .reduce<string | Texts | undefined>((at, part) => (typeof at === "object" ? at[part] : undefined), texts)
  return typeof found === "string" ? found : undefined
}

export default {
  init: ({ fallbackLng, lng, resources }: Options): Promise<void> => {
    languages = [lng, fallbackLng]
      .map((language) => resources[language]?.translation)
      .filter((texts) => texts !== undefined)
    return Promise.resolve()
  },
  t: (path: string): string => languages.map((texts) => find(texts, path)).find((text) => text !== undefined) ?? path
}
