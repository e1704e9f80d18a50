import { contentOf } from './page-content.ts'

/** Where businesses say how to reach them, and who they are, in the languages of Europe and the Americas. */
const contact = words(`
  contact contacts contact-us contactus contact-page contact-me get-in-touch reach-us kontakt kontakte kontaktieren kontakta-oss
  kontakt-os kontakta contacto contactanos contactenos contactar contatti contatto contattaci contato fale-conosco contactez-nous
  nous-contacter contactos neem-contact-op contacteer-ons yhteystiedot ota-yhteytta kapcsolat elerhetoseg iletisim kontakty
  kontaktai kontakti stik
`)
const imprint = words('impressum imprint mentions-legales aviso-legal colofon note-legali')
const about = words(`
  about about-us aboutus about-me our-story our-team who-we-are meet-the-team uber-uns ueber-uns ueberuns wir-uber-uns unternehmen
  das-team chi-siamo a-propos apropos a-propos-de-nous qui-sommes-nous quienes-somos sobre-nosotros sobre-nos sobre acerca-de nosotros
  quem-somos over-ons over o-nas o-firmie om-os om-oss om meista tietoa-meista rolunk hakkimizda despre-noi
`)

/** The pages beside the home page that most likely tell how to reach a business and who it is: two at most, the way to it first. */
export function contactPages(page: { url: string; html: string }): string[] {
  const home = new URL(page.url)
  const { passages } = contentOf(page)
  const places = new Map<ReadonlySet<string>, string>()
  for (const { text, links } of passages) {
    for (const [index, { href, at }] of links.entries()) {
      const place = placeOn(home, href)
      if (place === undefined) continue
      const names = [slug(text.slice(at, links[index + 1]?.at ?? text.length)), ...namesIn(place)]
      for (const kind of [contact, about, imprint]) {
        if (!places.has(kind) && names.some((name) => kind.has(name))) places.set(kind, place.href)
      }
    }
  }
  const chosen = [contact, about, imprint].map((kind) => places.get(kind)).filter((place) => place !== undefined)
  return [...new Set(chosen)].slice(0, 2)
}

/** A page of the same site, asked for where the home page was found, so that one connection serves them all. */
function placeOn(home: URL, href: string): URL | undefined {
  const place = URL.parse(href.trim(), home.href)
  if (!place || !/^https?:$/.test(place.protocol) || bare(place) !== bare(home)) return undefined
  const here = new URL(place.pathname + place.search, home)
  return here.pathname === home.pathname && here.search === home.search ? undefined : here
}

function bare({ hostname, port }: URL): string {
  return `${hostname.replace(/^www\./, '')}:${port}`
}

function namesIn({ pathname }: URL): string[] {
  const last = pathname.split('/').findLast((step) => step !== '' && !step.startsWith('index.')) ?? ''
  return [slug(decoded(last).replace(/\.(?:html?|php|aspx?)$/i, ''))]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // A stray %: the name may still be told.
  }
}

/** `Über uns »` is ueber-uns and uber-uns alike. */
function slug(text: string): string {
  const plain = text.slice(0, 60).trim().toLowerCase().normalize('NFD').replace(/\p{M}/gu, '')
  return plain
    .replaceAll('ı', 'i')
    .replaceAll('ø', 'o')
    .replaceAll('ł', 'l')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}
