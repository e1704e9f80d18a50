import { expect, test } from 'vitest'
import { analysePage } from '../../../activities/analysis/page.ts'

const socials = (html: string) => analysePage({ url: 'https://bakery.test/', html }).socials

test.each([
  ['https://www.facebook.com/annasbakery', 'facebook.com'],
  ['http://m.facebook.com/annasbakery/?ref=1', 'facebook.com'],
  ['https://de-de.facebook.com/annasbakery', 'facebook.com'],
  ['https://www.facebook.com/profile.php?id=100063', 'facebook.com'],
  ['https://www.facebook.com/pages/Annas-Bakery/156964', 'facebook.com'],
  ['https://www.facebook.com/p/Annas-Bakery-1000270', 'facebook.com'],
  ['//fb.com/annasbakery', 'facebook.com'],
  ['https://instagram.com/annas.bakery?igshid=1', 'instagram.com'],
  ['https://twitter.com/annasbakery', 'twitter.com'],
  ['https://x.com/annasbakery', 'x.com'],
  ['https://www.linkedin.com/company/annas-bakery', 'linkedin.com'],
  ['https://uk.linkedin.com/in/anna', 'linkedin.com'],
  ['https://www.youtube.com/channel/UC09YsKDtK0hfbhiPwHFyKhw', 'youtube.com'],
  ['https://www.youtube.com/user/annasbakery', 'youtube.com'],
  ['https://www.youtube.com/@annasbakery/videos', 'youtube.com'],
  ['https://www.tiktok.com/@annasbakery', 'tiktok.com'],
  ['https://www.pinterest.com/annasbakery/', 'pinterest.com'],
  ['https://www.threads.net/@annasbakery', 'threads.net'],
  ['https://wa.me/12125550123?text=hi', 'wa.me'],
  ['https://api.whatsapp.com/send?phone=12125550123', 'wa.me'],
  ['https://t.me/annasbakery', 't.me'],
])('%s is a profile on %s', (url, network) => {
  const [profile] = socials(`<a href="${url}"><svg></svg></a>`)
  expect(profile).toEqual({ network, url: new URL(url, 'https://x').href })
})

test.each([
  'https://www.facebook.com/',
  'https://www.facebook.com/sharer/sharer.php?u=x',
  'https://www.facebook.com/sharer.php?u=x',
  'https://www.facebook.com/dialog/share?href=x',
  'https://www.facebook.com/plugins/page.php?href=x',
  'https://www.facebook.com/events/123',
  'https://www.facebook.com/wix',
  'https://www.facebook.com/yourpage',
  'https://www.instagram.com/p/Cabc/',
  'https://www.instagram.com/annasbakery/p/Cabc/',
  'https://twitter.com/intent/tweet?url=x',
  'https://twitter.com/share',
  'https://twitter.com/anna/status/123',
  'https://twitter.com/squarespace',
  'https://www.linkedin.com/shareArticle?mini=true',
  'https://www.linkedin.com/sharing/share-offsite/?url=x',
  'https://www.youtube.com/watch?v=abc',
  'https://www.youtube.com/embed/abc',
  'https://youtu.be/abc',
  'https://www.pinterest.com/pin/create/button/?url=x',
  'https://wa.me/?text=look',
  'https://api.whatsapp.com/send?text=look',
  'https://t.me/share/url?url=x',
  'https://notfacebook.com/annasbakery',
  'https://facebook.com.bakery.test/annasbakery',
  '/facebook.com/annasbakery',
  '#facebook',
])('%s is nobody’s profile', (url) => {
  expect(socials(`<a href="${url}">x</a>`)).toEqual([])
})

test('a profile that is not linked is only mentioned', () => {
  const html =
    '<p>https://www.facebook.com/annasbakery</p><link rel="me" href="https://x.com/anna">' +
    '<iframe src="https://www.facebook.com/annasbakery"></iframe><script>var a = "https://x.com/anna"</script>'
  expect(socials(html)).toEqual([])
})

test('profiles are told once, in order of appearance', () => {
  const hrefs = [
    'https://x.com/anna',
    'https://facebook.com/Anna',
    'http://www.facebook.com/anna/',
    'https://facebook.com/anna2',
  ]
  expect(socials(hrefs.map((href) => `<a href="${href}">x</a>`).join(''))).toEqual([
    { network: 'x.com', url: 'https://x.com/anna' },
    { network: 'facebook.com', url: 'https://facebook.com/Anna' },
    { network: 'facebook.com', url: 'https://facebook.com/anna2' },
  ])
})
