import { expect, test } from 'vitest'
import { booking as bookingFingerprints, contentManagement } from '../../../activities/analysis/fingerprints.ts'
import { readPageContent } from '../../../activities/analysis/page-content.ts'
import { findTechnologies } from '../../../activities/analysis/technologies.ts'
import { bookingNames, cmsNames, trackingNames } from '../../../workflows/contracts/detections.ts'

const find = (html: string) => findTechnologies(readPageContent(html), 'bakery.test')

const cms: [name: string, html: string][] = [
  ['wordpress', '<meta name="generator" content="WordPress 6.8.1" />'],
  ['wordpress', '<link rel="https://api.w.org/" href="https://bakery.test/wp-json/" />'],
  ['wordpress', '<link rel="EditURI" type="application/rsd+xml" href="https://bakery.test/xmlrpc.php?rsd" />'],
  ['wordpress', '<link rel="stylesheet" href="/wp-content/themes/astra/style.css?ver=4">'],
  ['wordpress', '<script src="https://www.bakery.test/wp-includes/js/jquery/jquery.min.js"></script>'],
  ['wordpress', '<script>window._wpemojiSettings = {"baseUrl":"x"};</script>'],
  ['wordpress', '<script id="wp-emoji-settings" type="application/json">{}</script>'],
  ['wordpress', '<script>var v = {"ajax_url":"https:\\/\\/bakery.test\\/wp-admin\\/admin-ajax.php"}</script>'],
  ['wordpress', '<script src="https://stats.wp.com/e-202534.js" defer></script>'],
  ['wordpress', '<script src="https://c0.wp.com/c/6.8/wp-includes/js/jquery/jquery.min.js"></script>'],
  [
    'wordpress',
    '<link rel="canonical" href="https://anna.com/"><script src="https://www.anna.com/wp-content/plugins/x.js"></script>',
  ],
  ['wix', '<meta name="generator" content="Wix.com Website Builder"/>'],
  ['wix', '<meta http-equiv="X-Wix-Published-Version" content="49">'],
  ['wix', '<script type="application/json" id="wix-viewer-model">{}</script>'],
  ['wix', '<script src="https://static.parastorage.com/services/wix-thunderbolt/dist/main.js"></script>'],
  ['squarespace', '<script data-name="static-context">Static.SQUARESPACE_CONTEXT = {"facebookAppId":"1"};</script>'],
  [
    'squarespace',
    '<script src="//assets.squarespace.com/universal/scripts-compressed/common-1-min.en-US.js"></script>',
  ],
  [
    'squarespace',
    '<script src="https://static1.squarespace.com/static/vta/5c5a519771c10ba3470d8101/scripts/site-bundle.js"></script>',
  ],
  ['shopify', '<meta name="shopify-digital-wallet" content="/1/digital_wallets/dialog">'],
  ['shopify', '<script>var Shopify = Shopify || {}; Shopify.shop = "anna.myshopify.com";</script>'],
  ['shopify', '<script src="//bakery.test/cdn/shop/t/12/assets/global.js?v=1"></script>'],
  ['shopify', '<script src="https://cdn.shopify.com/shopifycloud/perf-kit/shopify-perf-kit-1.0.js"></script>'],
  ['webflow', '<html data-wf-page="65ff0037639572d383d5addd" data-wf-site="65993f566a8639197a404333">'],
  ['webflow', '<meta content="Webflow" name="generator">'],
  ['webflow', '<script src="https://cdn.prod.website-files.com/65993f566a8639197a404333/js/webflow.8a1b.js"></script>'],
  ['weebly', '<script>_W.configDomain = "www.weebly.com";</script>'],
  ['weebly', '<script src="//cdn2.editmysite.com/js/site/main.js?buildTime=1"></script>'],
  ['godaddy', '<meta name="generator" content="Starfield Technologies; Go Daddy Website Builder 8.0.0000"/>'],
  [
    'godaddy',
    '<script src="//img1.wsimg.com/blobby/go/fd72161e-2fb3-47cf-b59b-7f079153f2d4/gpub/1/script.js"></script>',
  ],
  ['joomla', '<meta name="generator" content="Joomla! - Open Source Content Management" />'],
  ['joomla', '<script src="/media/system/js/core.min.js?1"></script>'],
  ['joomla', '<script type="application/json" class="joomla-script-options new">{"csrf.token":"1"}</script>'],
  ['drupal', '<meta name="Generator" content="Drupal 10 (https://www.drupal.org)" />'],
  ['drupal', '<script type="application/json" data-drupal-selector="drupal-settings-json">{}</script>'],
  ['drupal', '<script src="/sites/default/files/js/js_abc.js"></script>'],
  ['drupal', '<script>jQuery.extend(Drupal.settings, {"basePath":"\\/"});</script>'],
]

const tracking: [name: string, html: string][] = [
  ['ga4', '<script async src="https://www.googletagmanager.com/gtag/js?id=G-FJVCXHBT1K"></script>'],
  ['ga4', "<script>window.dataLayer = []; gtag('js', new Date()); gtag('config', 'G-FJVCXHBT1K');</script>"],
  ['ga4', '<script type="text/plain" data-cookieconsent="statistics">gtag("config","G-FJVCXHBT1K")</script>'],
  ['ga4', "<script>var id = 'G-FJVCXHBT1K'; load('https://www.googletagmanager.com/gtag/js?id=' + id)</script>"],
  [
    'ga4',
    '<script>webPixelsConfigList: [{"configuration":"{\\"config\\":\\"{\\\\\\"pixel_id\\\\\\":\\\\\\"G-FJVCXHBT1K\\\\\\""}]</script>',
  ],
  ['ga4', '<script>drupalSettings = {"gtag":{"tagId":"G-FJVCXHBT1K","otherIds":[]}}</script>'],
  ['ga4', '<script>firebase.initializeApp({ appId: "1:2:web:3", measurementId: "G-FJVCXHBT1K" })</script>'],
  ['ga4', '<script async src="/wp/perfmatters/gtagv4.js?id=G-FJVCXHBT1K"></script>'],
  ['ga4', '<script src="https://www.googletagmanager.com/gtag/js?id=GT-MBT5PJ5" id="google_gtagjs-js" async></script>'],
  ['ga_ua', '<script async src="https://www.googletagmanager.com/gtag/js?id=UA-84810264-1"></script>'],
  ['ga_ua', "<script>ga('create', 'UA-84810264-1', 'auto'); ga('send', 'pageview');</script>"],
  ['ga_ua', "<script>__gaTracker('create', 'UA-84810264-1', {'cookieDomain':'auto'})</script>"],
  ['ga_ua', "<script>_gaq.push(['_setAccount', 'UA-84810264-1']);</script>"],
  ['ga_ua', '<script>var pageTracker = _gat._getTracker("UA-84810264-1");</script>'],
  ['ga_ua', '<script>trekkie.load({"Google Analytics":{"trackingId":"UA-84810264-1","domain":"auto"}})</script>'],
  [
    'ga_ua',
    '<amp-analytics type=googleanalytics><script type="application/json">{"vars":{"account":"UA-84810264-1"}}</script>',
  ],
  [
    'gtm',
    "<script>(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'gtm.start':new Date().getTime()});j.src='https://www.googletagmanager.com/gtm.js?id='+i})(window,document,'script','dataLayer','GTM-TTXZQD8');</script>",
  ],
  ['gtm', '<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-TTXZQD8"></iframe></noscript>'],
  ['gtm', '<script src="//www.googletagmanager.com/gtm.js?id=GTM-TTXZQD8"></script>'],
  ['gtm', '<iframe src="https://tags.bakery.test/ns.html?id=GTM-TTXZQD8"></iframe>'],
  ['gtm', '<script>window.config = {"googleTagManagerId":"GTM-TTXZQD8"}</script>'],
  ['gtm', '<link rel="preload" href="https://www.googletagmanager.com/gtm.js?id=GTM-TTXZQD8" as="script"/>'],
  ['fb_pixel', "<script>fbq('init', '638588492963657'); fbq('track', 'PageView');</script>"],
  [
    'fb_pixel',
    '<noscript><img src="https://www.facebook.com/tr?id=638588492963657&amp;ev=PageView&amp;noscript=1"></noscript>',
  ],
  ['fb_pixel', '<script>var pysOptions = {"facebook":{"pixelIds":["638588492963657"]}}</script>'],
  [
    'fb_pixel',
    '<script>[{"configuration":"{\\"pixel_id\\":\\"638588492963657\\",\\"pixel_type\\":\\"facebook_pixel\\"}"}]</script>',
  ],
  ['fb_pixel', "<script>_fbq.push(['addPixelId', '638588492963657']);</script>"],
]

const booking: [name: string, html: string][] = [
  ['calendly', '<div class="calendly-inline-widget" data-url="https://calendly.com/anna/30min"></div>'],
  ['calendly', '<script src="https://assets.calendly.com/assets/external/widget.js" async></script>'],
  ['calendly', '<script src="../../assets.calendly.com/assets/external/widget.js"></script>'],
  [
    'calendly',
    `<a href="" onclick="Calendly.initPopupWidget({url: 'https://calendly.com/anna'});return false;">Book</a>`,
  ],
  ['calendly', "<script>Calendly.initBadgeWidget({ url: 'https://calendly.com/anna/intro' });</script>"],
  ['calendly', '<iframe src="https://calendly.com/d/abc-def/intro"></iframe>'],
  ['calendly', '<a href="https://calendly.com/anna">Book a call</a>'],
  ['acuity', '<iframe src="https://app.acuityscheduling.com/schedule.php?owner=15452927"></iframe>'],
  ['acuity', '<a href="https://app.acuityscheduling.com/schedule/64a2c692">Book</a>'],
  ['acuity', '<a href="https://annasbakery.as.me/schedule.php">Book</a>'],
  ['acuity', '<a href="https://annasbakery.acuityscheduling.com/">Book</a>'],
  ['acuity', '<iframe src="https://app.squarespacescheduling.com/schedule.php?owner=15452927"></iframe>'],
  ['acuity', '<script src="https://embed.acuityscheduling.com/js/embed.js"></script>'],
  ['youcanbookme', '<a href="https://anna.youcanbook.me/">Book</a>'],
  ['youcanbookme', '<iframe src="https://anna.youcanbook.me/?noframe=true&skipHeaderFooter=true"></iframe>'],
  ['youcanbookme', '<script src="https://embed.ycb.me" async="true" data-domain="anna"></script>'],
  ['setmore', '<a id="Setmore_button_iframe" href="https://anna.setmore.com"><img src="x"></a>'],
  ['setmore', '<a href="https://my.setmore.com/bookingpage/9d4c4983-434e-42da-8072-dfd291ac4b1e">Book</a>'],
  ['setmore', '<iframe src="https://booking.setmore.com/scheduleappointment/9d4c4983-434e-42da"></iframe>'],
  ['setmore', '<script id="setmore_script" src="https://my.setmore.com/js/iframe/setmore_iframe.js"></script>'],
  ['setmore', '<form action="https://anna.setmore.com" method="GET"></form>'],
  ['square', '<iframe src="https://squareup.com/appointments/buyer/widget/ll14mf9ym3qzp9/LV5C0JGWG0DP1"></iframe>'],
  ['square', '<script src="https://square.site/appointments/buyer/widget/ll14mf9ym3qzp9/LV5C0JGWG0DP1.js"></script>'],
  ['square', '<a href="https://squareup.com/appointments/book/7djpzd51grujsb/LXEFMT6HSK5S4/start">Book</a>'],
  ['square', '<a href="https://book.squareup.com/appointments/bgourqv8i2d4ot/location/LET2173VFX05E/services">x</a>'],
  [
    'square',
    '<script>const url = "https://app.squareup.com/appointments/book/xeug2c2nw9gjxe/1KY1ADSEMSH8V/start"</script>',
  ],
  ['square', '<a href="https://annas-salon.square.site/"><b>Book now</b></a>'],
  [
    'fresha',
    '<a href="https://www.fresha.com/a/annas-salon-austin-12-main-street-lk5oiedp/all-offer?menu=true">Book</a>',
  ],
  ['fresha', '<a href="https://www.fresha.com/providers/annas-salon-agx16c7f">Book</a>'],
  ['fresha', '<a href="https://www.fresha.com/book-now/annas-salon-q8gqd4z1/services?lid=1">Book</a>'],
  ['fresha', '<a href="https://www.fresha.com/ja/a/annas-salon-z6jqwgsx">Book</a>'],
  [
    'hubspot_meetings',
    '<div class="meetings-iframe-container" data-src="https://meetings.hubspot.com/anna?embed=true"></div>',
  ],
  ['hubspot_meetings', '<script src="https://static.hsappstatic.net/MeetingsEmbed/ex/MeetingsEmbedCode.js"></script>'],
  ['hubspot_meetings', '<a href="https://meetings-eu1.hubspot.com/anna/intro">Book</a>'],
  ['vagaro', '<script src="https://www.vagaro.com//resources/WidgetEmbeddedLoader/OZqnD3SsCZOc?v=kT#"></script>'],
  ['vagaro', '<a href="https://www.vagaro.com/annassalon/book-now">Book</a>'],
  ['vagaro', '<a href="https://www.vagaro.com/us02/annassalon">Book</a>'],
  ['mindbody', '<a href="https://clients.mindbodyonline.com/classic/ws?studioid=8521&amp;stype=42">Book</a>'],
  ['mindbody', '<script src="https://widgets.mindbodyonline.com/javascripts/healcode.js"></script>'],
  ['mindbody', '<script async src="https://brandedweb.mindbodyonline.com/embed/widget.js"></script>'],
  ['mindbody', '<script src="https://widgets.healcode.com/javascripts/healcode.js"></script>'],
  ['mindbody', '<a href="https://www.mindbodyonline.com/explore/locations/annas-yoga">Book</a>'],
  ['simplybook', '<script src="//widget.simplybook.me/v2/widget/widget.js"></script>'],
  [
    'simplybook',
    '<script>new SimplybookWidget({"widget_type":"button","url":"https:\\/\\/anna.simplybook.it"})</script>',
  ],
  ['simplybook', '<iframe src="https://anna.simplybook.me/v2/#book"></iframe>'],
  ['booksy', '<a href="https://booksy.com/en-us/24472_annas-barbershop_barber-shop_134649_austin">Book</a>'],
  ['booksy', '<script src="https://booksy.com/widget/code.js?id=100023&country=es&lang=es"></script>'],
  ['booksy', '<script src="https://booksy.com/widget-2021/code.js?id=936569&country=us&lang=en-US"></script>'],
  ['booksy', '<a href="https://annas-barbershop.booksy.com/">Book</a>'],
]

test('every product that can be filtered and scored by has an example', () => {
  const names = (examples: typeof cms) => new Set(examples.map(([name]) => name))
  expect([names(cms), names(tracking), names(booking)]).toEqual([
    new Set(cmsNames),
    new Set(trackingNames),
    new Set(bookingNames),
  ])
})

test.each(cms)('%s is told by %s', (name, html) => {
  expect(find(html)).toMatchObject({ cms: name, tracking: [], booking: [] })
})

test.each(tracking)('%s is told by %s', (name, html) => {
  expect(find(html)).toMatchObject({ cms: null, tracking: [name], booking: [] })
})

test.each(booking)('%s is told by %s', (name, html) => {
  expect(find(html)).toMatchObject({ cms: null, tracking: [], booking: [name] })
})

test.each([...cms, ...tracking, ...booking])('%s is proved by a piece of %s', (name, html) => {
  const { evidence } = find(html)
  expect(evidence).toMatchObject([{ name }])
  for (const { quote } of evidence) {
    expect(html).toContain(quote)
    expect(quote.length).toBeGreaterThan(5)
    expect(quote.length).toBeLessThanOrEqual(160)
  }
})

const nothing = { cms: null, tracking: [], booking: [], evidence: [] }

test.each([...cms, ...tracking, ...booking])('%s is not told by a comment or a shown example of %s', (_name, html) => {
  const shown = html.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  expect(find(`<!-- ${html} --><pre>${shown}</pre><textarea>${html}</textarea>`)).toEqual(nothing)
})

const vendors =
  'https://wordpress.org https://www.wix.com/ https://www.squarespace.com/templates https://www.shopify.com/ https://webflow.com ' +
  'https://www.weebly.com/ https://www.godaddy.com/websites https://www.joomla.org https://www.drupal.org/docs ' +
  'https://calendly.com https://calendly.com/pricing https://calendly.com/blog/tips https://acuityscheduling.com/signup.php ' +
  'https://help.acuityscheduling.com/hc https://youcanbook.me https://www.youcanbook.me/pricing https://setmore.com ' +
  'https://www.setmore.com/integrations https://squareup.com/us/en/appointments https://squareup.com/gift/abc ' +
  'https://annas-cakes.square.site/ https://www.fresha.com/ https://www.fresha.com/for-business https://www.hubspot.com/meetings ' +
  'https://www.vagaro.com/ https://www.vagaro.com/pro https://sales.vagaro.com/salon-software https://support.vagaro.com/hc ' +
  'https://www.mindbodyonline.com/business https://developers.mindbodyonline.com/docs https://simplybook.me/en/ ' +
  'https://help.simplybook.me/a https://booksy.com/ https://booksy.com/biz/en-us https://biz.booksy.com/'

test.each(vendors.split(' '))('a link to %s tells nothing', (url) => {
  expect(find(`<a href="${url}">We like it</a><p>${url}</p>`)).toEqual(nothing)
  expect(find(`<link rel="preconnect" href="${url}">`)).toEqual(nothing)
})

test.each([
  ['the names of products', '<p>We moved from WordPress and Wix to Shopify; book by Calendly, gtag.js, GTM-TTXZQD8'],
  ['a booking address in the text', '<p>Write to https://calendly.com/anna or anna.setmore.com'],
  [
    'classes that were left over',
    '<body class="wp-custom-logo w-webflow-badge sqs-block"><div class="calendly-inline-widget booksy-widget">',
  ],
  [
    'pictures from elsewhere',
    '<img src="https://images.squarespace-cdn.com/content/a.jpg"><img src="https://cdn.shopify.com/s/files/1/a.jpg">' +
      '<img src="https://static.wixstatic.com/media/a.jpg"><img src="https://bakery.test/wp-content/uploads/a.jpg">' +
      `<div style="background: url('https://uploads-ssl.webflow.com/65993f566a8639197a404333/a.jpg')"></div>`,
  ],
  [
    'another site’s files',
    '<link rel=stylesheet href="https://other.com/wp-content/themes/x/style.css"><script src="https://other.com/sites/default/files/js/a.js"></script>',
  ],
  ['fonts from a platform', '<link rel="stylesheet" href="https://static.parastorage.com/services/fonts/a.css">'],
  ['hosting of GoDaddy', "<script src='https://img1.wsimg.com/traffic-assets/js/tccl.min.js'></script>"],
  [
    'a shop’s buy button',
    '<script src="https://sdks.shopifycdn.com/buy-button/latest/buy-button-storefront.min.js"></script>',
  ],
  [
    'an example’s id',
    "<script>ga('create', 'UA-XXXXX-Y', 'auto'); gtag('config', 'G-XXXXXXXXXX'); fbq('init', 'YOUR_PIXEL_ID')</script>",
  ],
  [
    'a platform’s own tracker',
    "<script>_gaq.push(['_setAccount', 'UA-7870337-1']); var googleAnalytics = 'UA-2117194-61'</script>",
  ],
  ['an id that nothing uses', '<script>var ids = ["G-FJVCXHBT1K", "UA-84810264-1", "GTM-TTXZQD8"]</script>'],
  [
    'code that is commented out',
    "<script>\n// gtag('config', 'G-FJVCXHBT1K')\n/* fbq('init', '638588492963657') */</script>",
  ],
  ['what search engines are told', '<script type="application/ld+json">{"url":"https://calendly.com/anna"}</script>'],
  ['a share on Facebook', '<a href="https://www.facebook.com/tr?id=638588492963657">x</a>'],
  ['a template that is not shown', '<template><a href="https://calendly.com/anna">Book</a></template>'],
  ['Facebook’s buttons', '<script src="https://connect.facebook.net/en_US/sdk.js"></script>'],
  ['Google Ads', '<script src="https://www.googletagmanager.com/gtag/js?id=AW-123456789"></script>'],
])('%s tells nothing', (_name, html) => {
  expect(find(html)).toEqual(nothing)
})

test('what is most amply shown is what a site is made with', () => {
  const shop = '<script>Shopify.shop = "a"</script><meta name="shopify-digital-wallet" content="x">'
  expect(find(`<meta name="generator" content="Elementor 3">${shop}`).cms).toBe('shopify')
})

test('evidence quotes nobody’s address or number', () => {
  const html =
    '<a href="https://calendly.com/anna?email=anna%40bakery.com&phone=2125550123" title="(212) 555-0123">Book</a>' +
    '<a href="https://vagaro.com/anna" data-x="anna@bakery.com">Book</a>' +
    '<iframe src="https://anna.setmore.com/212-555-0123"></iframe>'
  expect(find(html).evidence.map(({ quote }) => quote)).toEqual([
    'href="https://calendly.com/anna',
    'href="https://vagaro.com/anna"',
    'src="https://anna.setmore.com/',
  ])
})

test('every name that can be filtered by has what gives it away, and the other way round', () => {
  expect(contentManagement.map(({ name }) => name)).toEqual(cmsNames)
  expect(bookingFingerprints.map(({ name }) => name)).toEqual(bookingNames)
})
