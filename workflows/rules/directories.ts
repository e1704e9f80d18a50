/**
 * Places where businesses are listed, rated, booked, advertised or talked about: a page there is not the business's own website. Read
 * by websites.ts; add what searches bring up.
 */

/** Names that are the same business in every country: `yelp` is yelp.com, yelp.co.uk and yelp.de. */
export const directoryBrands: readonly string[] = words(`
  airbnb aliexpress allegro amazon angi autotrader booksy craigslist cylex deliveroo doctolib ebay etsy europages eventbrite
  expedia facebook foursquare fresha glassdoor google groupon gumtree homeadvisor hotfrog houzz indeed indiamart infobel instagram
  just-eat justdial kijiji kompass lieferando linkedin mapquest meetup mercadolibre mercadolivre myhammer olx opentable pinterest
  quandoo quora reddit sulekha tiktok thefork thumbtack trustpilot treatwell tripadvisor ubereats yandex yellowpages yelp youtube
  zomato
`)

/** Single domains, with everything under them. */
export const directoryDomains: readonly string[] = words(`
  2gis.com 2gis.ru 411.com 11880.com 192.com alibaba.com alignable.com allbiz.com angieslist.com apartments.com apple.com
  apollo.io avvo.com bark.com bbb.org bing.com birdeye.com bizapedia.com bloomberg.com booking.com bridebook.com brownbook.net
  buildzoom.com businessyab.com canada411.ca canpages.ca capterra.com care.com carfax.com cars.com cargurus.com caring.com
  chamberofcommerce.com checkatrade.com city-data.com citysearch.com citysquares.com classpass.com clutch.co companieshouse.gov.uk
  crunchbase.com dasoertliche.de dastelefonbuch.de designrush.com detelefoongids.nl dexknows.com dianping.com dnb.com
  doordash.com doubleclick.net edmunds.com eniro.se ezlocal.com fb.com fb.me findlaw.com firmy.cz fonecta.fi freeindex.co.uk
  g.co g.page g2.com gelbeseiten.de getyourguide.com gnavi.co.jp golocal.de goo.gl goodfirms.co googleadservices.com
  goudengids.be grubhub.com guiamais.com.br gulesider.no healthgrades.com herold.at hipages.com.au hitched.co.uk hitta.se homeguide.com homestars.com hotels.com hotpepper.jp
  insiderpages.com jameda.de judysbook.com justia.com kayak.com krak.dk kununu.com lafourchette.com lawyers.com linktr.ee lnkd.in
  local.ch local.com localsearch.com.au loc8nearme.com manta.com martindale.com medium.com meinestadt.de meituan.com
  merchantcircle.com messenger.com mindbodyonline.com mybuilder.com n49.com naver.com networx.com nextdoor.com niche.com nocowboys.co.nz
  northdata.de ok.ru oneflare.com.au opencorporates.com paginasamarillas.es paginebianche.it paginegialle.it pagesjaunes.fr
  panoramafirm.pl pkt.pl porch.com postmates.com practo.com productreview.com.au proff.dk proff.no proff.se
  provenexpert.com psychologytoday.com ratedpeople.com ratemds.com realestate.com.au realtor.com resy.com rightmove.co.uk
  sahibinden.com scoot.co.uk search.ch seamless.com sharecare.com showmelocal.com sitejabber.com snapchat.com societe.com
  sortlist.com squareup.com starofservice.com storeboard.com styleseat.com superpages.com swiggy.com t.co t.me
  tabelog.com telegram.me telelistas.net theknot.com thomasnet.com thomsonlocal.com threads.com threads.net toasttab.com touchlocal.com
  truelocal.com.au trulia.com trustatrader.com trustindex.io tupalo.com twitter.com upcity.com usnews.com vagaro.com vimeo.com
  vitals.com vk.com vrbo.com wa.me waze.com webmd.com weddingwire.com werkenntdenbesten.de whatsapp.com whitepages.com wikidata.org
  wikipedia.org wlw.de wongnai.com x.com yably.ca yahoo.com yalwa.com yell.com yellow.co.nz yellow.place yellowbook.com yelu.com youtu.be
  zaubee.com zillow.com zlatestranky.cz zocdoc.com zoominfo.com zoon.ru zoopla.co.uk
`)

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
