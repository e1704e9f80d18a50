import { businessName, emailOf, phoneOf, traitsOf } from './sandbox-pages.ts'

/** What a small business's page weighs on the real web, its pictures and files left out. */
const pageBytes = 60_000

const paths = { '/': 'Home', '/contact': 'Contact', '/about': 'About us' }
type Path = keyof typeof paths

export function isLargeSite(host: string): boolean {
  return host.startsWith('large-')
}

/**
 * A page of a site whose pages have the size of real ones, and their make-up: styles, scripts and data, menus, pictures in several
 * sizes, cards, reviews, questions, and some text among them. Undefined where the site has none.
 */
export function largePage(host: string, path: string): string | undefined {
  if (!isPath(path)) return undefined
  const { cms, tracking, booking, copyrightYear } = traitsOf(host)
  const marks: Record<string, string> = {
    host,
    name: businessName(host),
    email: emailOf(host),
    phone: phoneOf(host),
    digits: phoneOf(host).replace(/\D/g, ''),
    year: String(copyrightYear),
    made: cms + tracking,
    booking: path === '/contact' ? booking : '',
  }
  return templates[path].map((piece, index) => (index % 2 === 0 ? piece : (marks[piece] ?? ''))).join('')
}

function isPath(path: string): path is Path {
  return Object.hasOwn(paths, path)
}

const trades = [
  'Check-ups',
  'Whitening',
  'Repairs',
  'Consultations',
  'Installations',
  'Cleaning',
  'Weddings',
  'Emergencies',
]
const kinds = ['for families', 'at home', 'on Saturdays', 'for companies', 'for beginners', 'in the city', 'all year']
const months = ['January', 'March', 'April', 'June', 'September', 'November']
const sentences = [
  'We have looked after our neighbours for years, and we would love to meet you.',
  'Fair prices, told before we begin &mdash; and no surprises afterwards.',
  'Our team trains every month, so that you get what is best today and not what was best ten years ago.',
  'Rated by hundreds of happy customers, family owned and fully insured.',
  'Ask us anything: the first half hour costs nothing, and nobody will try to sell you what you don&#8217;t need.',
]

/** Cut at the marks once, so that whoever asks for thousands of pages waits for their bytes and not for their making. */
const templates = {
  '/': template('/', header('Home') + repeat(6, service) + reviews(), 'Home'),
  '/contact': template('/contact', header('Contact') + contact() + repeat(4, service) + questions(), 'Contact'),
  '/about': template('/about', header('About us') + repeat(8, member) + repeat(3, service) + questions(), 'About us'),
}

/** Pieces of text with the names of marks between them. */
function template(path: Path, content: string, title: string): string[] {
  const rest = `${footer()}${scripts(path)}\n</body>\n</html>\n`
  let page = `<!doctype html>\n<html lang="en-US">\n${head(title)}\n<body class="page page-wide has-menu">\n${content}`
  for (let index = 0; page.length + rest.length < pageBytes; index += 1) page += article(index)
  return `${page}</main>${rest}`.split(/\{\{(\w+)\}\}/)
}

function head(title: string): string {
  const metas = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} | {{name}}</title><meta name="description" content="{{name}}: friendly, local, and open six days a week.">
<meta property="og:title" content="{{name}}"><meta property="og:url" content="https://{{host}}/"><meta property="og:type" content="website">
<link rel="canonical" href="https://{{host}}/">{{made}}`
  const sheets = repeat(
    9,
    (n) => `<link rel="stylesheet" id="part-${n}-css" href="/assets/css/part-${n}.min.css?v=6.${n}.1">\n`,
  )
  const rules = repeat(
    48,
    (
      n,
    ) => `.block-${n}{--gap:${n}px;margin:0 auto ${n}px;padding:calc(var(--gap)*1.${n});color:#${(n * 5273 + 99999).toString(16)}}
.block-${n}:hover>a{text-decoration:underline}@media(max-width:${600 + n}px){.block-${n}{padding:0 ${n}px;flex-wrap:wrap}}\n`,
  )
  const data = `<script type="application/ld+json">{"@context":"https://schema.org","@type":"LocalBusiness","name":"{{name}}","url":"https://{{host}}/",
"openingHours":["Mo-Fr 08:00-18:00","Sa 09:00-14:00"],"image":["https://{{host}}/media/front.jpg"],"priceRange":"$$"}</script>`
  return `<head>${metas}\n${sheets}<style>\n${rules}</style>\n${data}\n</head>`
}

function header(current: string): string {
  const pages = Object.entries(paths).map(([path, name]) => item(path, name, name === current ? ' current' : ''))
  const menus = repeat(4, (n) => {
    const below = repeat(6, (m) => item(`/services/${n}/${m}`, `${pick(trades, n + m)} ${pick(kinds, m)}`, ' sub'))
    return `${item(`/services/${n}`, pick(trades, n), ' has-sub')}<ul class="sub-menu" aria-hidden="true">${below}</ul>\n`
  })
  return `<a class="skip-link" href="#content">Skip to content</a><header class="site-header" data-sticky="true">
<div class="top-bar"><a class="tel" href="tel:+1{{digits}}"><svg width="16" height="16" viewBox="0 0 16 16"><path d="M3 1l3 4-2 2c1 2 3 4 5 5l2-2 4 3-2 3C6 15 1 10 0 3z"></path></svg> {{phone}}</a></div>
<nav class="menu" aria-label="Main"><ul>${pages.join('')}${menus}</ul></nav></header><main id="content">
<section class="hero block-1"><div class="inner"><h1>${current === 'Home' ? 'Welcome to {{name}}' : current}</h1><p>${pick(sentences, 3)}</p></div>${picture(0)}</section>\n`
}

function item(path: string, name: string, classes: string): string {
  return `<li class="menu-item${classes}"><a href="${path}" itemprop="url"><span>${name}</span></a></li>\n`
}

function picture(n: number): string {
  const file = `/media/2025/0${(n % 9) + 1}/${slug(pick(trades, n))}-${slug(pick(kinds, n))}-${n}`
  const sizes = [150, 300, 768, 1024, 1536].map((width) => `${file}-${width}x${Math.round(width / 1.5)}.jpg ${width}w`)
  const attributes = `class="picture-image size-large picture-${n}" alt="${pick(trades, n)}" loading="lazy" decoding="async" width="1024" height="683"`
  return `<figure class="picture aligncenter"><img src="${file}-1024x683.jpg" srcset="${sizes.join(', ')}" sizes="(max-width: 1024px) 100vw, 1024px" ${attributes}></figure>`
}

function service(n: number): string {
  return `<section class="service block-${n}" data-index="${n}"><div class="row"><div class="column">${picture(n)}</div>
<div class="column"><h2>${pick(trades, n)}</h2><p>${pick(sentences, n)}</p><a class="button" href="/services/${n}"><span>Find out more</span></a></div></div></section>\n`
}

function member(n: number): string {
  return `<div class="member block-${n + 10}">${picture(20 + n)}<h3>Dr. ${pick(kinds, n)}</h3><p class="role">${pick(trades, n)}</p><p>${pick(sentences, n)}</p></div>\n`
}

function reviews(): string {
  const quotes = repeat(
    8,
    (n) =>
      `<blockquote class="review block-${n}"><p>${pick(sentences, n + 1)}</p><cite>A customer, ${2015 + n}</cite></blockquote>\n`,
  )
  return `<section class="reviews"><h2>What people say</h2>${quotes}</section>\n`
}

function questions(): string {
  const answers = repeat(
    9,
    (n) =>
      `<details class="question"><summary>${pick(trades, n)}: what does it cost?</summary><p>${pick(sentences, n)}</p></details>\n`,
  )
  return `<section class="questions"><h2>Questions</h2>${answers}</section>\n`
}

function contact(): string {
  const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
  const hours = days.map((day) => `<tr><th scope="row">${day}</th><td>08:00</td><td>18:00</td></tr>\n`).join('')
  const fields = ['Name', 'E-mail', 'Telephone', 'Subject'].map(
    (label) =>
      `<div class="field"><label>${label}<input type="text" name="${label}" placeholder="${label}" required></label></div>\n`,
  )
  return `<section class="contact"><p>Write to <a href="mailto:{{email}}">{{email}}</a> or call <a href="tel:+1{{digits}}">{{phone}}</a>.</p>{{booking}}
<form action="/contact" method="post">${fields.join('')}<button type="submit">Send</button></form><table class="hours">${hours}</table></section>\n`
}

/** One of as many as it takes to fill a page. */
function article(n: number): string {
  const box = `<div class="builder-column column-12 block-${n % 48}" data-settings='{"animation":"fade","delay":${n * 10}}'>`
  return `${box}<article class="post post-${n} type-post status-publish format-standard has-picture" id="post-${n + 1000}">${picture(40 + n)}
<h3 class="entry-title"><a href="/news/${n + 1}" rel="bookmark">${pick(trades, n)} ${pick(kinds, n)}</a></h3>
<time class="entry-date" datetime="2025-0${(n % 9) + 1}-12">${pick(months, n)} 2025</time><p>${pick(sentences, n)}</p></article></div>\n`
}

function footer(): string {
  const links = repeat(12, (n) => item(`/more/${n}`, `${pick(kinds, n)} ${pick(trades, n + 1)}`, ''))
  return `<footer class="site-footer"><ul>${links}</ul><p><a href="https://www.facebook.com/{{digits}}.shop"><i class="icon"></i></a>
<a href="https://www.instagram.com/shop{{digits}}/"><i class="icon"></i></a></p><p>{{name}}, {{phone}} <small>&copy; {{year}} {{name}}</small></p></footer>\n`
}

function scripts(path: Path): string {
  const files = repeat(
    11,
    (n) => `<script id="part-${n}-js" src="/assets/js/part-${n}.min.js?v=3.${n}" defer></script>\n`,
  )
  const settings = repeat(
    150,
    (n) => `"option_${n}":{"enabled":${n % 3 === 0},"selector":".block-${n} > a","delay":${n * 50}},`,
  )
  return `<script>window.siteSettings={"path":"${path}",${settings}"last":null};(function(d){var e=d.documentElement;e.className+=" js";
d.addEventListener("scroll",function(){e.classList.toggle("scrolled",window.scrollY>40)})})(document);</script>\n${files}`
}

/** As it stands in an address. */
function slug(text: string): string {
  return text.toLowerCase().replaceAll(' ', '-')
}

function repeat(count: number, make: (n: number) => string): string {
  return Array.from({ length: count }, (_, index) => make(index)).join('')
}

function pick(items: readonly string[], n: number): string {
  return items[n % items.length] ?? ''
}
