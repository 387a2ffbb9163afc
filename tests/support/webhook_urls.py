# ruff: noqa: SIM905 - look-alikes are the point, and blocks of words read better than 600 strings
"""Webhook URLs that try to get in, and ones that must stay welcome. Blocks are split at whitespace."""

# Refused when a webhook is set, sandbox or not.
REFUSED_AT_FORM = (
    # schemes
    *"""
    http://example.org/ HTTP://example.org/ http://8.8.8.8/ http://example.org:443/ http://example.org:8443/
    ftp://example.org/ file:///etc/passwd gopher://example.org/_x javascript:alert(1) data:text/plain,x
    ws://example.org/ wss://example.org/ dict://example.org:11211/ ldap://example.org/
    jar:https://example.org!/ unix:///run/docker.sock http+unix://%2Frun%2Fdocker.sock/
    httpss://example.org/ https+x://example.org/ shttp://example.org/ view-source:https://example.org/
    blob:https://example.org/x about:blank mailto:a@example.org
    """.split(),
    # no URL at all, or one that other parsers repair
    *"""
    example.org //example.org/ /webhook https:/example.org/ https:example.org https:///example.org/ https://
    https: :// https://? https://# https:///// https:/// https:/\\example.org/ ://example.org/
    https//example.org https:\\\\example.org\\ https://example.org\\@127.0.0.1/
    https://127.0.0.1\\@example.org/ https://example.org\\ https://\\example.org/ https://example.org/a\\b
    https://example.org/#top https://example.org#@127.0.0.1/ https://example.org/?a#b https://#@example.org/
    https://?@example.org/ https://;@example.org/
    """.split(),
    "",
    " ",
    " https://example.org/",
    "https://example.org/ ",
    "https://example.org/\n",
    "\thttps://example.org/",
    "ht\ntps://example.org/",
    "https://exam\tple.org/",
    "https://exam ple.org/",
    "https://example.org /",
    "https://example.org/a b",
    "https://example.org/\r\nHost:127.0.0.1",
    "https://example.org/\x00",
    "https://example.org\x00.127.0.0.1/",
    "https://exam\x00ple.org/",
    "https://example.org/\x1b[0m",
    "https://example.org/\x7f",
    "https://example.org/\x85",
    "https://example.org/\xa0",
    "https://example.org/\u2028x",
    "https://example.org/\ud800",
    "\ufeffhttps://example.org/",
    "https\uff1a//example.org/",
    "https:\u2215\u2215example.org/",
    # user names and passwords
    *"""
    https://user@example.org/ https://user:password@example.org/ https://:@example.org/
    https://@example.org/ https://example.org@127.0.0.1/ https://example.org:443@127.0.0.1/
    https://127.0.0.1@example.org/ https://a@b@c.org/ https://example.org%40127.0.0.1/
    https://user%3Apw@example.org/ https://[::1]@example.org/ https://example.org@[::1]/
    https://example.org:@127.0.0.1/ https://@@example.org/ https://user:@example.org:8443/
    """.split(),
    # ports
    *"""
    https://example.org:/ https://example.org:0/ https://example.org:1/ https://example.org:21/
    https://example.org:22/ https://example.org:25/ https://example.org:53/ https://example.org:80/
    https://example.org:110/ https://example.org:442/ https://example.org:444/ https://example.org:587/
    https://example.org:1023/ https://example.org:65536/ https://example.org:99999/
    https://example.org:100000/ https://example.org:65979/ https://example.org:0443/
    https://example.org:00443/ https://example.org:+443/ https://example.org:-443/ https://example.org:443a/
    https://example.org:0x1bb/ https://example.org:4%343/ https://example.org:443:443/
    https://example.org:8443:/ https://example.org::443/ https://:443/ https://:8443/
    https://example.org:1e4/ https://example.org:8_443/ https://8.8.8.8:22/ https://[2606:4700::1111]:22/
    https://[2606:4700::1111]:/ https://[2606:4700::1111]8443/ https://[2606:4700::1111]x:8443/
    https://2606:4700::1111/ https://::1/
    """.split(),
    "https://example.org: 443/",
    "https://example.org:\u0664\u0664\u0663/",
    "https://example.org:\uff14\uff14\uff13/",
    # local names
    *"""
    https://a.localhost/ https://x.y.localhost/ https://localhost./ https://localhost.localdomain/
    https://printer.local/ https://_http._tcp.local/ https://router.lan/ https://nas.home.arpa/
    https://home.arpa/ https://metadata.google.internal/ https://host.docker.internal/
    https://ip-10-0-0-1.ec2.internal/ https://kubernetes.default.svc.cluster.local/ https://vault.corp/
    https://wiki.intranet/ https://box.home/ https://x.private/ https://abcdefghijklmnop.onion/
    https://name.alt/ https://a.test/ https://a.invalid/ https://METADATA.GOOGLE.INTERNAL/
    https://Printer.LOCAL/ https://metadata.google.internal./ https://local/ https://internal/ https://lan/
    https://onion/ https://metadata/ https://kubernetes/ https://redis:6379/ https://db/ https://org/
    https://com./ https://a/ https://x:8443/ https://broadcasthost/ https://ip6-localhost/
    https://ip6-loopback/ https://localhost6/ https://localhost6.localdomain6./
    """.split(),
    # malformed names
    *"""
    https://./ https://../ https://.example.org/ https://example..org/ https://example.org./
    https://example.org../ https://-example.org/ https://example-.org/ https://example.-org/
    https://exam_ple.org/ https://_dmarc.example.org/ https://*.example.org/ https://example.org,127.0.0.1/
    https://example.org;127.0.0.1/ https://example.org&x/ https://example.org=x/ https://example.org+x/
    https://exam!ple.org/ https://exam~ple.org/ https://exam$ple.org/ https://exam'ple.org/
    https://(example.org)/ https://{example.org}/ https://<example.org>/ https://"example.org"/
    https://exam|ple.org/ https://exam^ple.org/ https://exam`ple.org/ https://example.org%00/
    https://example.org%2f/ https://%65xample.org/ https://example%2eorg/ https://127%2e0%2e0%2e1/
    https://%31%32%37.0.0.1/ https://%6cocalhost/ https://localhost%00.example.org/ https://example.org%20/
    https://example.org%0d%0a/ https://%/ https://%00/ https://%E2%91%A0.example.org/ https://[example.org]/
    https://[]/ https://[/ https://]/ https://[[::1]]/ https://[2606:4700::1111/ https://2606:4700::1111]/
    https://[2606:4700::1111]]/ https://[8.8.8.8]/ https://[v1.fe80::a]/ https://[2606:4700::1111%25eth0]/
    https://[2606:4700::1111%eth0]/ https://[2606:4700:::1]/ https://[2606:4700::11111]/
    https://[1:2:3:4:5:6:7]/ https://[1:2:3:4:5:6:7:8:9]/ https://[2606:4700::1.2.3]/
    """.split(),
    f"https://{'a' * 64}.example.org/",
    f"https://{'.'.join(['a' * 63] * 4)}/",
    f"https://{'a.' * 126}org/",
    f"https://example.org/{'a' * 2029}",
    # look-alikes that IDNA processing folds into ASCII, and xn-- labels that are none
    *"""
    https://ｅｘａｍｐｌｅ.org/ https://example。org/ https://example．org/ https://example｡org/ https://①②⑦.⓪.⓪.①/
    https://１２７.0.0.1/ https://127。0。0。1/ https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/ https://ℓocalhost/ https://loc\u00adalhost/
    https://exam\u200bple.org/ https://exam\u200dple.org/ https://bücher.example.org/
    https://faß.example.org/ https://℀.example.org/ https://a⁄b.example.org/ https://[::ﬀff:127.0.0.1]/
    https://٣.example.org/ https://例え.jp/ https://exаmple.org/ https://\u212a.example.org/
    https://ıp.example.org/ https://example.org／.internal.example.org/ https://xn--.example.org/
    https://xn--localhost-.example.org/ https://xn--a.example.org/ https://xn--example-.org/
    https://xn--127-.org/ https://xn--99999999.example.org/ https://xn--a-b-c-.example.org/
    https://xn--0.example.org/ https://xn--zzzzzzzzzzzz.example.org/ https://xn--bcher-kv.example.org/
    """.split(),
    # addresses in other spellings
    *"""
    https://2130706433/ https://0x7f000001/ https://017700000001/ https://0x7f.1/ https://0x7f.0.0.1/
    https://0177.0.0.1/ https://127.1/ https://127.0.1/ https://127.0.0.1./ https://0/ https://0.0/
    https://00.00.00.00/ https://0x/ https://0x0/ https://000.000.000.000/ https://127.000.000.001/
    https://0127.0.0.1/ https://127.0.0.0x1/ https://127.0.0.01/ https://0X7F.0.0.1/
    https://0x7f.0x0.0x0.0x1/ https://4294967295/ https://4294967296/ https://8589934591/ https://134744072/
    https://8.8.8/ https://8.8/ https://8.8.2056/ https://010.8.8.8/ https://8/ https://256.256.256.256/
    https://1.2.3.256/ https://1.2.3.4.5/ https://1..2.3/ https://1.2.3.4../ https://.1.2.3.4/
    https://3232235521/ https://0xc0a80001/ https://0xA9FEA9FE/ https://2852039166/ https://169.254.43518/
    https://0251.0376.0251.0376/ https://425.510.425.510/ https://169.254.169.254./ https://example.1/
    https://a.0x1/ https://1.2.3.09/ https://foo.0x/ https://192.168.257/ https://10.1/ https://172.16.1/
    https://0xa.1.2.3/
    """.split(),
    # addresses that are not public, plainly written
    *"""
    https://0.0.0.0/ https://0.1.2.3/ https://10.0.0.1/ https://10.255.255.255/ https://100.64.0.1/
    https://100.100.100.200/ https://100.127.255.255/ https://168.63.129.16/ https://169.254.169.254/
    https://169.254.170.2/ https://172.16.0.1/ https://172.31.255.255/ https://192.0.0.192/
    https://192.0.2.1/ https://192.31.196.1/ https://192.52.193.1/ https://192.88.99.1/ https://192.168.0.1/
    https://192.175.48.1/ https://198.18.0.1/ https://198.19.255.255/ https://198.51.100.1/
    https://203.0.113.1/ https://224.0.0.1/ https://239.255.255.250/ https://240.0.0.1/
    https://255.255.255.255/ https://169.254.169.254:8443/latest/meta-data/ https://[::]/ https://[::2]/
    https://[::ffff:127.0.0.1]/ https://[::ffff:7f00:1]/ https://[::ffff:8.8.8.8]/
    https://[0:0:0:0:0:ffff:127.0.0.1]/ https://[::127.0.0.1]/ https://[::7f00:1]/ https://[::8.8.8.8]/
    https://[::ffff:0:127.0.0.1]/ https://[64:ff9b::127.0.0.1]/ https://[64:ff9b::8.8.8.8]/
    https://[64:ff9b:1::a00:1]/ https://[100::1]/ https://[100:0:0:1::1]/ https://[2001::1]/
    https://[2001:0:7f00:1::]/ https://[2001:2::1]/ https://[2001:10::1]/ https://[2001:20::1]/
    https://[2001:30::1]/ https://[2001:1ff::1]/ https://[2001:db8::1]/ https://[2002:7f00:1::]/
    https://[2002:808:808::1]/ https://[2620:4f:8000::1]/ https://[3ffe::1]/ https://[3fff::1]/
    https://[3fff:fff::1]/ https://[4000::1]/ https://[5f00::1]/ https://[fc00::1]/ https://[fd00:ec2::254]/
    https://[fd12:3456:789a::1]/ https://[fe80::1]/ https://[febf::1]/ https://[fec0::1]/ https://[feff::1]/
    https://[ff02::1]/ https://[ff0e::1]/ https://[FE80::1]/ https://[2606:4700::5efe:10.0.0.1]/
    https://[fe80::1%25lo]/ https://[2606:4700::200:5efe:7f00:1]/ https://[e000::1]/ https://[1::1]/
    https://[fe80::1%lo]/ https://[::1%25lo]/
    """.split(),
    # paths that no request line may carry
    *"""
    https://example.org/% https://example.org/%g0 https://example.org/%1 https://example.org/{id}
    https://example.org/a|b https://example.org/"x" https://example.org/<x> https://example.org/a^b
    https://example.org/`x` https://example.org/[x] https://example.org/é https://example.org/?q=é
    https://example.org/?q=% https://example.org?q={x} https://example.org/😀
    """.split(),
)

# Refused outside the sandbox only: the way to a receiver on one's own machine.
SANDBOX_ONLY = """
    http://localhost/ http://localhost:8000/webhook http://LOCALHOST:8000/ http://127.0.0.1:8000/
    http://127.0.0.1/ http://127.1.2.3:9000/ http://[::1]:8000/ http://[0:0:0:0:0:0:0:1]:8000/?x=1
    https://localhost/ https://localhost:8443/ https://127.0.0.1/ https://127.255.255.254:8443/
    https://[::1]/ http://localhost:80/ http://localhost:443/
""".split()

# Refused in the sandbox as well: neither plain HTTP to elsewhere nor odd spellings of loopback.
NOT_EVEN_IN_SANDBOX = """
    http://example.org:8000/ http://10.0.0.1:8000/ http://192.168.0.1/ http://169.254.169.254/
    http://0.0.0.0:8000/ http://[::]:8000/ http://[::ffff:127.0.0.1]:8000/ http://[::127.0.0.1]:8000/
    http://2130706433:8000/ http://127.1:8000/ http://0x7f.1:8000/ http://0177.0.0.1:8000/
    http://a.localhost:8000/ http://localhost.:8000/ http://127.0.0.1.:8000/ http://127.0.0.1.nip.io:8000/
    http://localhost:22/ http://localhost:81/ http://localhost:6553600/ http://[::1]:25/
    http://user@localhost:8000/ http://localhost:8000\\@example.org/ http://localhost#@example.org/
    http://ip6-localhost/ http://localhost%00/ http://localhost.localdomain/ https://localhost:80/
""".split()

# The form is fine; the address the name resolves to decides. Address first.
REFUSED_AT_ADDRESS = """
    127.0.0.1 https://127.0.0.1.nip.io/  127.0.0.1 https://localtest.me/
    10.0.0.1 https://10-0-0-1.sslip.io/  0.0.0.0 https://zero.example.org/  0.0.0.1 https://one.example.org/
    10.255.255.255 https://ten.example.org/  100.64.0.0 https://cgnat.example.org/
    100.127.255.255 https://cgnat2.example.org/  127.255.255.255 https://lo.example.org/
    168.63.129.16 https://azure.example.org/  169.254.0.0 https://ll.example.org/
    169.254.169.254 https://meta.example.org/  169.254.255.255 https://ll2.example.org/
    172.16.0.0 https://p1.example.org/  172.31.255.255 https://p2.example.org/
    192.0.0.0 https://ietf.example.org/  192.0.0.255 https://ietf2.example.org/
    192.0.2.0 https://doc.example.org/  192.31.196.255 https://as.example.org/
    192.52.193.0 https://amt.example.org/  192.88.99.2 https://six.example.org/
    192.168.0.0 https://home.example.org/  192.168.255.255 https://h2.example.org/
    192.175.48.6 https://as2.example.org/  198.18.0.0 https://bench.example.org/
    198.19.255.255 https://bench2.example.org/  198.51.100.255 https://d2.example.org/
    203.0.113.0 https://d3.example.org/  224.0.0.0 https://multi.example.org/
    239.255.255.255 https://m2.example.org/  240.0.0.0 https://future.example.org/
    255.255.255.254 https://f2.example.org/  255.255.255.255 https://all.example.org/
    :: https://any6.example.org/  ::1 https://lo6.example.org/  ::ffff:10.0.0.1 https://map.example.org/
    ::ffff:8.8.8.8 https://map2.example.org/  ::8.8.8.8 https://compat.example.org/
    ::ffff:0:8.8.8.8 https://siit.example.org/  64:ff9b::a00:1 https://nat.example.org/
    64:ff9b::808:808 https://nat2.example.org/  64:ff9b:1:: https://nat3.example.org/
    64:ff9b:1:ffff:ffff:ffff:ffff:ffff https://nat4.example.org/  100:: https://discard.example.org/
    100::ffff:ffff:ffff:ffff https://dis2.example.org/  2001::1 https://teredo.example.org/
    2001:2::1 https://bm6.example.org/  2001:1ff:ffff::1 https://ietf6.example.org/
    2001:db8::1 https://doc6.example.org/  2002:a00:1:: https://sixto4.example.org/
    2002:ffff:ffff:: https://sixto4b.example.org/  2620:4f:8000:: https://as112v6.example.org/
    3ffe:: https://bone.example.org/  3fff:: https://doc6b.example.org/
    3fff:fff:ffff::1 https://doc6c.example.org/  4000:: https://later.example.org/
    1fff:ffff::1 https://below.example.org/  5f00::1 https://srv6.example.org/
    fc00::1 https://ula.example.org/  fd00:ec2::254 https://aws6.example.org/
    fdff:ffff::1 https://ula2.example.org/  fe80::1 https://ll6.example.org/
    fe80::1%eth0 https://zone.example.org/  2606:4700::1111%lo https://zone2.example.org/
    fec0::1 https://site.example.org/  ff02::1 https://mc6.example.org/  ff0e::1 https://mc6b.example.org/
    2606:4700::5efe:a00:1 https://isatap.example.org/
    2606:4700::200:5efe:a00:1 https://isatap2.example.org/  8.8.8 https://short.example.org/
    0x8080808 https://hex.example.org/  134744072 https://decimal.example.org/
    010.8.8.8 https://octal.example.org/  localhost https://name.example.org/
""".split()

# Welcome anywhere. Address first: what the name resolves to, or the literal itself.
ALLOWED = """
    8.8.8.8 https://example.org  8.8.8.8 https://example.org/  8.8.8.8 https://example.org/webhook
    8.8.8.8 HTTPS://EXAMPLE.ORG/WebHook  8.8.8.8 https://example.org:443/
    8.8.8.8 https://example.org:8443/hook  8.8.8.8 https://example.org:1024/
    8.8.8.8 https://example.org:65535/  8.8.8.8 https://a.b.c.d.e.example.org/
    8.8.8.8 https://example.org?x=1  8.8.8.8 https://example.org/?x=1&y=2
    8.8.8.8 https://example.org/?a[]=1&b[k]=2  8.8.8.8 https://example.org/?
    8.8.8.8 https://example.org/a/../b/.  8.8.8.8 https://example.org//a//b/
    8.8.8.8 https://example.org/%00  8.8.8.8 https://example.org/%0d%0a
    8.8.8.8 https://example.org/%2e%2E/%41  8.8.8.8 https://example.org/~u/(a)!'*,;
    8.8.8.8 https://example.org/a:b@c=d  8.8.8.8 https://example.org/?u=https://x.org/
    8.8.8.8 https://example.org/?e=a@b.org  8.8.8.8 https://example.org/?q=%23
    8.8.8.8 https://example.org/bot123:AAF_x-y/s  8.8.8.8 https://xn--bcher-kva.example.org/
    8.8.8.8 https://xn--r8jz45g.jp/  8.8.8.8 https://xn--e1afmkfd.xn--p1ai/
    8.8.8.8 https://123.example.org/  8.8.8.8 https://1.2.3.4.example.org/
    8.8.8.8 https://0x7f.example.org/  8.8.8.8 https://3com.com/  8.8.8.8 https://r3---sn-x.example.org/
    8.8.8.8 https://a-b--c.example.org/  8.8.8.8 https://localhost.example.org/
    8.8.8.8 https://notlocalhost.org/  8.8.8.8 https://internal.example.org/
    8.8.8.8 https://mylocal.network/  8.8.8.8 https://onion.example.org/
    8.8.8.8 https://127.0.0.1.example.org/  8.8.8.8 https://8.8.8.8/  1.1.1.1 https://1.1.1.1:8443/
    9.255.255.255 https://9.255.255.255/  11.0.0.0 https://11.0.0.0/  100.63.255.255 https://a1.example.org/
    100.128.0.0 https://a2.example.org/  126.255.255.255 https://a3.example.org/
    128.0.0.1 https://a4.example.org/  168.63.129.15 https://a5.example.org/
    169.253.255.255 https://a6.example.org/  169.255.0.0 https://a7.example.org/
    172.15.255.255 https://a8.example.org/  172.32.0.0 https://a9.example.org/
    192.0.1.0 https://b1.example.org/  192.167.255.255 https://b2.example.org/
    192.169.0.0 https://b3.example.org/  198.17.255.255 https://b4.example.org/
    198.20.0.0 https://b5.example.org/  223.255.255.255 https://b6.example.org/
    2000::1 https://c1.example.org/  2001:200::1 https://c2.example.org/
    2001:db9::1 https://c3.example.org/  2003::1 https://c4.example.org/
    2606:4700::1111 https://c5.example.org/  2606:4700::1111 https://[2606:4700::1111]/
    2606:4700::1111 https://[2606:4700:0:0:0:0:0:1111]:8443/x
    2a00:1450:4001:80b::200e https://[2A00:1450:4001:80B::200E]/  3ffd:ffff::1 https://c6.example.org/
""".split()
ALLOWED += [
    "8.8.8.8",
    f"https://example.org/{'a' * 2028}",
    "8.8.8.8",
    f"https://{'.'.join(['a' * 63] * 3)}.org/",
]
