import type { BookingName, CmsName } from '../../workflows/contracts/detections.ts'

/**
 * By what a page shows which products it is made of: only what the product itself, or the vendor's own instructions, put there.
 * Not a name in the text, a class that was left over, a picture from the product's servers or a link to the vendor's own pages.
 * Read by technologies.ts; every line has its example in the tests.
 */
export interface Fingerprint<Name extends string = string> {
  name: Name
  /** What `<meta name="generator">` begins with. */
  generator?: RegExp
  tags?: readonly { tag: string; attribute: string; value: RegExp }[]
  addresses?: readonly VendorAddress[]
  /** Scripts and stylesheets under these paths of the site's own. */
  files?: RegExp
  /** In the page's own scripts. */
  code?: RegExp
}

/** An address that only a customer of the vendor has on a page: with an account in it, or of something to be run. */
export interface VendorAddress {
  domain: string
  /** What stands before the domain; without it, nothing or `www`. */
  host?: RegExp
  /** Path and query. */
  path: RegExp
  /** What a link's own words must say, where the address alone may mean something else. */
  says?: RegExp
  /** Whether only what is run counts: a script, a frame. */
  runs?: boolean
}

export const contentManagement: readonly Fingerprint<CmsName>[] = [
  {
    name: 'wordpress',
    generator: /^(?:wordpress|woocommerce|elementor|divi|wpbakery|powered by wpbakery|site kit by google|wpml)\b/i,
    tags: [
      { tag: 'link', attribute: 'rel', value: /^https:\/\/api\.w\.org\/?$/ },
      { tag: 'link', attribute: 'href', value: /\/(?:xmlrpc[\w-]{0,12}\.php(?:\?rsd)?|wlwmanifest\.xml)$/ },
      {
        tag: 'script',
        attribute: 'id',
        value: /^wp-(?:emoji-settings|importmap)$/,
      },
    ],
    addresses: [
      { domain: 'wp.com', host: /^[cs]\d$/, path: /^\/(?:c\/|_static\/|wp-(?:content|includes)\/)/, runs: true },
      { domain: 'wp.com', host: /^stats$/, path: /^\/e-\d/, runs: true },
    ],
    files: /\/wp-(?:includes|content)\//,
    code: /\b_wpemojiSettings\s{0,9}=|\/wp-admin\\?\/admin-ajax\.php/,
  },
  {
    name: 'wix',
    generator: /^wix\.com website builder/i,
    tags: [
      {
        tag: 'meta',
        attribute: 'http-equiv',
        value: /^x-wix-(?:meta-site-id|application-instance-id|published-version)$/i,
      },
      { tag: 'script', attribute: 'id', value: /^wix-(?:essential-)?viewer-model$/ },
    ],
    addresses: [
      { domain: 'parastorage.com', host: /^static$/, path: /^\/services\/(?:wix-thunderbolt|santa)\//, runs: true },
    ],
    code: /\bvar santaBase\s{0,9}=|\bwindow\.viewerModel\s{0,9}=/,
  },
  {
    name: 'squarespace',
    addresses: [
      {
        domain: 'squarespace.com',
        host: /^assets$/,
        path: /^\/universal\/(?:scripts|styles)-compressed\//,
        runs: true,
      },
      { domain: 'squarespace.com', host: /^static1$/, path: /^\/static\/(?:ta|vta|versioned-site-css)\//, runs: true },
      { domain: 'sqspcdn.com', host: /^definitions$/, path: /^\/website-component-definition\//, runs: true },
    ],
    code: /\bStatic\.SQUARESPACE_CONTEXT\s{0,9}=/,
  },
  {
    name: 'shopify',
    tags: [{ tag: 'meta', attribute: 'name', value: /^shopify-(?:checkout-api-token|digital-wallet)$/ }],
    addresses: [
      {
        domain: 'shopify.com',
        host: /^cdn$/,
        path: /^\/s\/(?:javascripts\/tricorder|assets\/storefront)\//,
        runs: true,
      },
      {
        domain: 'shopify.com',
        host: /^cdn$/,
        path: /^\/shopifycloud\/(?:shopify\/|storefront|perf-kit|shopify-perf-kit)/,
        runs: true,
      },
    ],
    files: /^\/cdn\/shop\/t\/\d|^\/cdn\/shopifycloud\//,
    code: /\bShopify\.(?:shop|theme)\s{0,9}=|\bShopifyAnalytics\.meta\b/,
  },
  {
    name: 'webflow',
    generator: /^webflow\b/i,
    tags: [{ tag: 'html', attribute: 'data-wf-site', value: /^[\da-f]{24}$/ }],
    addresses: [
      {
        domain: 'website-files.com',
        host: /^(?:cdn\.prod|assets-global|assets)$/,
        path: /\/js\/webflow\b/,
        runs: true,
      },
      { domain: 'webflow.com', host: /^(?:uploads-ssl|uploads|assets)$/, path: /\/js\/webflow\b/, runs: true },
    ],
  },
  {
    name: 'weebly',
    addresses: [
      { domain: 'editmysite.com', host: /^cdn\d$/, path: /^\/(?:js\/site\/main|css\/sites\.css)/, runs: true },
      { domain: 'weebly.com', path: /^\/(?:weebly\/)?(?:js|libraries)\//, runs: true },
    ],
    code: /\b_W\.configDomain\s{0,9}=/,
  },
  {
    name: 'godaddy',
    generator: /go ?daddy website builder/i,
    addresses: [
      { domain: 'wsimg.com', host: /^img\d$/, path: /^\/blobby\/go\/[\da-f-]{36}\/(?:gpub|static)\//, runs: true },
      { domain: 'wsimg.com', host: /^img\d$/, path: /^\/ceph-p3-01\/website-builder-data-prod\//, runs: true },
    ],
  },
  {
    name: 'joomla',
    generator: /^joomla!/i,
    tags: [{ tag: 'script', attribute: 'class', value: /^joomla-script-options\b/ }],
    files: /\/media\/(?:system\/js\/(?:core|caption|keepalive|mootools|joomla)|jui\/js\/|vendor\/joomla-)/,
    code: /\bJoomla\.(?:optionsStorage|JText|Text)\b|\bJCaption\(/,
  },
  {
    name: 'drupal',
    generator: /^drupal \d/i,
    tags: [{ tag: 'script', attribute: 'data-drupal-selector', value: /^drupal-settings-json$/ }],
    files: /\/sites\/[\w.-]{1,80}\/(?:files\/(?:js|css)|modules|themes)\/|\/misc\/drupal\.js/,
    code: /\bjQuery\.extend\(\s{0,9}(?:true,\s{0,9})?Drupal\.settings\b/,
  },
]

export const booking: readonly Fingerprint<BookingName>[] = [
  {
    name: 'calendly',
    addresses: [
      { domain: 'calendly.com', host: /^(?:assets)?$/, path: /^\/assets\/external\/widget[\w.-]*\.js/, runs: true },
      {
        domain: 'calendly.com',
        path: account(
          'about app assets blog careers contact customers developers event_types event_type features help ' +
            'integrations jobs learn legal login logout pages partners press pricing privacy product resources ' +
            'scheduling security signup solutions teams terms tour users webinars what-is-calendly',
        ),
      },
    ],
  },
  {
    name: 'acuity',
    addresses: ['acuityscheduling.com', 'squarespacescheduling.com']
      .flatMap((domain) => [
        {
          domain,
          host: /^(?:app|secure)?$/,
          path: /^\/(?:schedule|catalog|class|appointments?)[\w./-]*\?(?:.*&)?owner=\d/,
        },
        { domain, host: /^(?:app|secure)?$/, path: /^\/schedule\/[\da-f]{6,}/ },
        { domain, host: subdomain('app blog developers embed help learn secure static status support'), path: /^/ },
        { domain, host: /^embed$/, path: /^\/(?:js\/embed|embed\/)/, runs: true },
      ])
      .concat({ domain: 'as.me', host: subdomain(''), path: /^/ }),
  },
  {
    name: 'youcanbookme',
    addresses: [
      {
        domain: 'youcanbook.me',
        host: subdomain('account api app auth blog community embed go help learn status support updates'),
        path: /^/,
      },
      { domain: 'youcanbook.me', path: /^\/resources\/scripts\//, runs: true },
      { domain: 'ycb.me', host: subdomain('api'), path: /^/ },
    ],
  },
  {
    name: 'setmore',
    addresses: [
      {
        domain: 'setmore.com',
        host: subdomain(
          'api app assets blog booking cdn community developer events go help my static status storage support',
        ),
        path: /^/,
      },
      {
        domain: 'setmore.com',
        host: /^(?:my|booking|go)$/,
        path: /^\/(?:\w*bookingpage|scheduleappointment|book)\/[\w-]{6,}/i,
      },
      { domain: 'setmore.com', host: /^(?:my|assets|www)?$/, path: /\/setmore_?iframe/i, runs: true },
      { domain: 'googleapis.com', host: /^storage$/, path: /\/setmore_?iframe/i, runs: true },
    ],
  },
  {
    name: 'square',
    addresses: [
      { domain: 'squareup.com', host: /^(?:app)?$/, path: /^\/appointments\/(?:buyer\/widget|book)\/[\w-]+/ },
      { domain: 'squareup.com', host: /^book$/, path: /^\/(?:appointments|classes)\/[\w-]+/ },
      { domain: 'square.site', path: /^\/(?:appointments\/buyer\/widget|book)\/[\w-]+/ },
      {
        domain: 'square.site',
        host: subdomain(''),
        path: /^\/(?:s\/appointments|appointments?|book(?:ing|-now|-online)?)\b/,
      },
      // A shop of Square's may sell cakes: there, the link has to say that it is for booking.
      {
        domain: 'square.site',
        host: subdomain(''),
        path: /^/,
        says: /\b(?:book|appointment|schedul|reserv|termin|prenota|cita)/i,
      },
    ],
  },
  {
    name: 'fresha',
    addresses: [
      { domain: 'fresha.com', path: /^\/(?:[a-z]{2}(?:-[a-z]{2})?\/)?(?:a|p|lvp|providers|book-now)\/[\w-]+/i },
      { domain: 'shedul.com', host: /^(?:pos|app)?$/, path: /^\/(?:providers|online_bookings)\/[\w-]+/ },
    ],
  },
  {
    name: 'hubspot_meetings',
    addresses: [
      { domain: 'hubspot.com', host: /^meetings(?:-[a-z]{2}\d)?$/, path: /^\/[\w-]+/ },
      { domain: 'hubspot.com', host: /^app(?:-[a-z]{2}\d)?$/, path: /^\/meetings\/[\w-]+/ },
      { domain: 'hsappstatic.net', host: /^static$/, path: /^\/MeetingsEmbed\//, runs: true },
    ],
  },
  {
    name: 'vagaro',
    addresses: [
      { domain: 'vagaro.com', path: /^\/{1,2}(?:resources\/widget\w*loader\/|users\/businesswidget)/i },
      {
        domain: 'vagaro.com',
        host: /^(?:uk|ca|au)?$/,
        path: account(
          'about aboutus app apps blog business businesses careers contact contactus customers daily-deals ' +
            'dailydeals deals favicon features fitness-software forgotpassword gift-card gift-cards home learn ' +
            'listings login marketplace merchant press pricing privacy privacypolicy pro professionals resources ' +
            'salon-software search signin signup sitemap spa-software support terms termsofservice users webresources',
        ),
      },
    ],
  },
  {
    name: 'mindbody',
    addresses: [
      { domain: 'mindbodyonline.com', host: /^clients$/, path: /[?&]studioid=-?\d/i },
      { domain: 'mindbodyonline.com', host: /^(?:widgets|brandedweb(?:-next)?)$/, path: /^\/\w+/ },
      { domain: 'mindbodyonline.com', host: /^(?:go|cart)$/, path: /^\/(?:book|sites)\/[\w-]+/ },
      {
        domain: 'mindbodyonline.com',
        host: /^(?:explore)?$/,
        path: /^\/(?:explore\/)?(?:[a-z-]+\/)?locations\/[\w-]+/,
      },
      { domain: 'healcode.com', host: /^widgets$/, path: /^\/\w+/ },
      { domain: 'mindbody.io', path: /^\/(?:[a-z-]+\/)?locations\/[\w-]+/ },
    ],
  },
  {
    name: 'simplybook',
    addresses: ['simplybook.me', 'simplybook.it', 'simplybook.asia', 'simplybook.pro', 'simplybook.cc'].flatMap(
      (domain) => [
        { domain, host: /^widget$/, path: /^\/v\d+\/widget\//, runs: true },
        {
          domain,
          host: subdomain(
            'api app blog dashboard dev developers help my news partner secure static support user-api user-api-v2 widget',
          ),
          path: /^/,
        },
      ],
    ),
  },
  {
    name: 'booksy',
    addresses: [
      {
        domain: 'booksy.com',
        path: /^\/(?:[a-z]{2}-[a-z]{2}\/)?(?:\d+_|a\/\w|dl\/show-business\/\d|instant-experiences\/widget\/\d)/,
      },
      { domain: 'booksy.com', path: /^\/widget[\w-]*\/(?:code|index|widget)/, runs: true },
      { domain: 'booksy.com', host: subdomain('api biz blog cdn help pro static status support us'), path: /^/ },
    ],
  },
]

/** Every name under which the vendors' addresses can be found in code. */
export const bookingDomains: readonly string[] = [
  ...new Set(booking.flatMap(({ addresses = [] }) => addresses.map(({ domain }) => domain))),
]

/** A first step of the path that is not one of the vendor's own pages. */
function account(vendors: string): RegExp {
  return new RegExp(`^/(?!(?:${vendors.replaceAll(' ', '|')})(?:[/?.]|$))[a-z0-9][\\w.~%-]*`, 'i')
}

/** One label before the domain that is not a place of the vendor's own. */
function subdomain(vendors: string): RegExp {
  return new RegExp(`^(?!(?:www${vendors && '|'}${vendors.replaceAll(' ', '|')})$)[a-z0-9](?:[a-z0-9-]*)$`)
}
