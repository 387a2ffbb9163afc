// Progressive enhancement: copy buttons, local times, search as you type, and live updates. Every page works without it.

const root = document.documentElement
const body = document.body
root.classList.add('scripted')

// --- times in the reader's time zone

const served = Date.parse(body.dataset.now || new Date())
const opened = Date.now()
const day = at => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime()

function tell(element) {
  const at = new Date(element.dateTime)
  const now = new Date(served + Date.now() - opened)
  element.title = at.toLocaleString()
  const days = Math.round((day(now) - day(at)) / 864e5)
  if (days === 0) element.textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  else if (days === 1) element.textContent = new Intl.RelativeTimeFormat(root.lang, { numeric: 'auto' }).format(-1, 'day').replace(/^./, c => c.toUpperCase())
  else element.textContent = at.toLocaleDateString(root.lang === 'en' ? 'en-GB' : root.lang, { day: 'numeric', month: 'short', year: at.getFullYear() === now.getFullYear() ? undefined : 'numeric' })
}

// --- copying

function codeButton(code) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = code.className
  button.dataset.copy = code.dataset.copy
  button.setAttribute('aria-label', code.dataset.label)
  button.textContent = code.textContent
  code.replaceWith(button)
}

function say(text) {
  const line = document.getElementById('say')
  line.textContent = text
  line.classList.add('on')
  clearTimeout(say.over)
  say.over = setTimeout(() => line.classList.remove('on'), 1600)
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const field = document.createElement('textarea') // there is no clipboard API over plain HTTP
    field.value = text
    body.append(field)
    field.select()
    document.execCommand('copy')
    field.remove()
  }
  say(body.dataset.copied)
}

addEventListener('click', event => {
  const at = event.target.closest('[data-copy], [data-copy-from]')
  if (at) copy(at.dataset.copy || document.getElementById(at.dataset.copyFrom).textContent)
})

function enhance(part) {
  part.querySelectorAll('time').forEach(tell)
  part.querySelectorAll('code[data-copy]').forEach(codeButton)
}
enhance(document)

// --- offline: show a notice, and block form submissions

const connection = document.getElementById('connection')
let shownConnection = ''

function connected(state) {
  if (state === shownConnection || shownConnection === 'ended' || (state === 'online' && !shownConnection)) return
  clearTimeout(connected.over)
  shownConnection = state === 'online' ? '' : state
  connection.textContent = body.dataset[state]
  connection.classList.toggle('back-again', state === 'online')
  if (state === 'online') connected.over = setTimeout(() => { connection.textContent = '' }, 4000)
}

addEventListener('offline', () => connected('offline'))
addEventListener('online', () => {
  if (!body.dataset.after) connected('online')
  else refresh().then(() => connected('online'), () => {}) // otherwise once the stream reconnects
})
if (!navigator.onLine) connected('offline')
addEventListener('submit', event => {
  if (navigator.onLine) return
  event.preventDefault()
  say(body.dataset.unsent)
}, { capture: true })

// --- refresh: replace the parts marked data-live, except those in use

async function refresh(address = location.href) {
  const answer = await fetch(address, { headers: { accept: 'text/html' } })
  if (answer.redirected && new URL(answer.url).pathname === '/sign-in') return signedOut()
  if (!answer.ok) return
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  for (const old of document.querySelectorAll('[data-live]')) {
    const fresh = page.getElementById(old.id)
    const used = old.querySelector('details[open]') || old.contains(document.activeElement)
    if (!fresh || (used && old.dataset.live !== 'always')) continue
    enhance(fresh)
    if (fresh.innerHTML !== old.innerHTML) old.replaceWith(document.adoptNode(fresh))
  }
  proceed(true)
}

// --- payments: when one has arrived, submit the form that waits for it, or return to the page that it was for

const ONWARD_AFTER_MS = 1500 // long enough to read that it has arrived

function proceed(arrived) {
  const form = document.querySelector('form[data-submit]')
  const onward = arrived && document.querySelector('a[data-onward]')
  if (proceed.done || !(form || onward)) return
  proceed.done = true
  if (form) form.requestSubmit()
  else setTimeout(() => location.replace(onward.href), ONWARD_AFTER_MS)
}

const timed = document.querySelector('[data-refresh-s]')
if (timed) setTimeout(() => refresh().catch(() => {}), Math.min(timed.dataset.refreshS * 1000 + 500, 2 ** 31 - 1))

// Go to the sign-in page, unless the user has typed something: submitting the form then keeps it through signing in.
function signedOut() {
  const fields = [...document.querySelectorAll('main form[method=post] :is(input:not([type=hidden]), textarea, select)')]
  const typed = fields.some(field => field.value !== field.defaultValue && field.defaultValue !== undefined)
  if (typed) return connected('ended')
  location.reload()
}

let waiting
const refreshSoon = () => {
  clearTimeout(waiting)
  waiting = setTimeout(() => refresh().catch(() => {}), 150)
}

// --- search as you type

const search = document.querySelector('[data-search]')
if (search) {
  let typed
  search.addEventListener('input', () => {
    clearTimeout(typed)
    typed = setTimeout(() => {
      const address = search.value.trim() ? `/messages?q=${encodeURIComponent(search.value.trim())}` : '/messages'
      history.replaceState(null, '', address)
      refresh(address)
    }, 180)
  })
}

// --- live updates: one event stream per page, resumed from the last event after a disconnect

const LOST_AFTER_MS = 3000 // the server ends each stream within a minute; the browser reconnects at once
let after = body.dataset.after
let lost
let retry = 500
const title = document.title
let unseen = 0
const KEPT = 200

function arrived(html) {
  const found = document.getElementById('found')
  const list = document.getElementById('inbox')
  if (!found?.dataset.inbox) return refreshSoon()
  if (!list) return refresh()
  const holder = document.createElement('template')
  holder.innerHTML = html
  const item = holder.content.firstElementChild
  if (!item || document.getElementById(item.id)) return
  enhance(item)
  item.classList.add('new')
  list.prepend(item)
  while (list.children.length > KEPT) list.lastElementChild.remove()
}

function notice() {
  if (!document.hidden) return
  unseen += 1
  document.title = `(${unseen}) ${title}`
}

function listen() {
  const stream = new EventSource(`/live?after=${after}`)
  stream.onopen = () => {
    retry = 500
    clearTimeout(lost)
    lost = undefined
    if (shownConnection) refreshSoon()
    connected('online')
  }
  stream.addEventListener('message', event => {
    after = event.lastEventId
    const { html, balance } = JSON.parse(event.data)
    arrived(html)
    const shown = document.querySelector('#bar-balance b')
    if (balance && shown) shown.textContent = balance
    notice()
    if (location.pathname === '/messages') refreshAside()
  })
  stream.addEventListener('changed', event => {
    after = event.lastEventId
    refreshSoon()
  })
  stream.onerror = () => {
    lost ??= setTimeout(() => connected(navigator.onLine ? 'lost' : 'offline'), LOST_AFTER_MS)
    if (stream.readyState !== EventSource.CLOSED) return // the browser reconnects by itself
    refresh().catch(() => {}) // if signed out, this leads to the sign-in page
    setTimeout(listen, retry)
    retry = Math.min(retry * 2, 30000)
  }
  addEventListener('pagehide', () => {
    clearTimeout(lost)
    stream.close()
  }, { once: true })
}

let asideSoon
function refreshAside() {
  clearTimeout(asideSoon)
  asideSoon = setTimeout(() => refresh().catch(() => {}), 1500)
}

if (after) {
  proceed(false)
  listen()
  addEventListener('visibilitychange', () => {
    if (document.hidden) return
    unseen = 0
    document.title = title
  })
  addEventListener('pageshow', event => { if (event.persisted) location.reload() })
}
