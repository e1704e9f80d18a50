import { createHash } from 'node:crypto'
import { advertisersInTown, draw, slug } from './sandbox-town.ts'

const mostAdsPerPage = 4

/**
 * The ads that SerpAPI's `google` engine shows beside a page's results: on some pages none, on most those of a few businesses of the
 * town, now and then a directory's. They follow from query, town and page alone.
 */
export function adsOf(query: string, town: string, start: number) {
  const seed = `${query.toLowerCase().trim()}/${town.toLowerCase()}/${start}/ads`
  const businesses = advertisersInTown(query, town).slice(0, Math.floor(draw(seed) * (mostAdsPerPage + 1)))
  const shown = businesses.map(({ name, website }) => ({
    title: `${name} - Book Online Today`,
    link: new URL(`/offers?gclid=${digest(`${seed}/${name}`)}`, website ?? '').href,
    description: `Looking for ${query} in ${town}? ${name} is open today. Call now for a free quote.`,
  }))
  if (draw(`${seed}/directory`) < 0.3) {
    shown.splice(1, 0, {
      title: `Top 10 ${query} in ${town} - Compare Free Quotes`,
      link: `https://www.thumbtack.com/k/${slug(query)}/near-me`,
      description: `Hire the right ${query} in ${town}. Read reviews and compare prices.`,
    })
  }
  return shown.map(({ title, link, description }, index) => ({
    position: index + 1,
    block_position: index < 2 ? 'top' : 'bottom',
    title,
    link,
    displayed_link: new URL(link).origin,
    tracking_link: `https://www.googleadservices.com/pagead/aclk?sa=L&ai=${digest(link)}`,
    description,
  }))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}
