"""Labels of numbers that aren't codes, by language; vocabulary.py has the words for codes.

The format of entries is explained in vocabulary.py."""

# prose: skip file - word lists in many languages
from __future__ import annotations

# prose: skip file - words of many languages

NOT_A_CODE = {  # the next number after these words is never a code
    "codes of another kind": "promo_code~ promotional_code discount_code coupon_code voucher_code gift_code"
    " referral_code invite_code country_code area_code zip_code postal_code post_code postcode zipcode sort_code"
    " error_code status_code dress_code qr_code~ barcode bar_code source_code tracking_code booking_code"
    " reservation_code dial_code product_code store_code bank_code code_promo code_postal code_barre code_avantage"
    " code_de_reduction codigo_postal codigo_promocional codigo_de_descuento codigo_de_barras codigo_de_rastreo"
    " codigo_de_rastreamento cupon~ cupom codice_sconto codice_promo~ codice_fiscale codice_postale codice_cliente"
    " gutscheincode rabattcode aktionscode ~gutschein kortingscode actiecode rabattkod rabatkode rabattkode"
    " alennuskoodi kod_rabatowy kod_pocztowy slevovy_kod kuponkod kod_promocyjny cod_postal cod_promotional"
    " promosyon_kodu indirim_kodu posta_kodu промокод~ промо_код почтовый_индекс kode_promo kode_pos ma_giam_gia"
    " ma_don_hang ma_van_don ~優惠碼~ ~优惠码~ ~折扣码~ ~邮编~ ~割引コード~ ~クーポンコード~ ~郵便番号~ ~할인코드~"
    " ~쿠폰코드~ ~우편번호~ promo_pin promocode~ discount_pin coupon~ voucher~ gift_card referral_pin invitation_code"
    " referral~ invite~ hs_code swift_code swift ifsc ifsc_code branch_code bic agent_code till_number paybill"
    " dialling_code dialing_code city_code colour_code color_code class_code course_code item_code part_code"
    " model_code pnr pnr_code flight_code airline_code tax_code payment_code_for code_de_suivi code_client code_cadeau"
    " code_parrainage code_reduction code_guichet code_banque bon_de_reduction code_agence codigo_de_seguimiento"
    " codigo_descuento codigo_de_cliente codigo_cliente codigo_de_area codigo_de_referido codigo_swift"
    " codigo_de_reserva codigo_de_desconto codigo_do_cliente codigo_de_indicacao codigo_de_envio codi_postal"
    " codi_promocional codi_de_descompte codice_di_prenotazione codice_prenotazione codice_spedizione codice_iban"
    " codice_ordine buono_sconto codice_coupon codice_tracking codice_swift codice_sia codice_amico cod_de_reducere"
    " cod_reducere cod_promo cod_client cod_fiscal codul_promotional codul_de_reducere codul_postal cod_awb voucherul"
    " gutschein~ ~rabattcode promo_code ~vorwahl ~buchungscode buchungscode ~postleitzahl bankleitzahl ~strichcode"
    " werbecode kortingscode~ kortingskode afslagkode kortings_code cadeaukaart ~boekingscode rabattkod~ rabatkod~"
    " kampanjkod~ kampanjekod~ kampagnekod~ presentkod~ gavekod~ varvekod~ bokningskod~ ~afslattarkod~ alennuskood~"
    " kampanjakood~ etukood~ sooduskood~ allahindluskood~ kuponki~ lojalitatskod~ atlaides_kod~ atlaizu_kod~"
    " nuolaidos_kod~ nuolaidu_kod~ kod_rabat~ kodem_rabat~ kod_promoc~ kodem_promoc~ kod_klienta kod_pocztow~ slevov~"
    " slevovy_kod~ slevovym_kodem zlavov~ kupon~ kuponem kod_kuponu psc kedvezmenykod~ kuponkod~ iranyitoszam~"
    " akcios_kod~ promo_kod~ promokod~ kod_za_popust popust_kod kod_popusta koda_za_popust kodo_za_popust kupona_kod"
    " poštanski_broj промо_код~ код_на_скидку код_скидки купон~ код_товара код_города код_знижки код_на_знижку"
    " код_за_отстъпка код_региона индекс индекса пощенски_код поштенски_број kod_na_skidku kod_skidki indirim_kod~"
    " kampanya_kod~ promosyon_kod~ kupon_kod~ hediye_kod~ alan_kod~ endirim_kod~ chegirma_kod~ pocht_kod~"
    " жеңілдік_коды~ εκπτωτικ~ κωδικο_εκπτωσης κωδικος_εκπτωσης κωδικος_κουπονιου ταχυδρομικ~ κουπονι~"
    " kodikos_ekptosis kodiko_ekptosis kouponi~ ~كود_الخصم~ ~كود_خصم~ ~رمز_الخصم~ ~رمز_خصم~ ~رمز_ترويجي~"
    " ~الرمز_البريدي~ ~كوبون~ ~قسيمة~ ~رمز_العرض~ ~کد_تخفیف~ ~کد_پستی~ ~کدپستی~ ~کد_رهگیری~ ~کد_ملی~ ~کد_معرف~"
    " ~کد_سفارش~ ~کد_پیگیری~ ~رمز_الطلب~ ~קופון~ ~קוד_הנחה~ ~קוד_קופון~ ~מיקוד~ ~קוד_הטבה~ ~רעایتی_کوڈ~ ~ڈسکاؤنٹ_کوڈ~"
    " ~پوسٹل_کوڈ~ प्रोमो_कोड~ कूपन~ डिस्काउंट_कोड~ पिन_कोड_क्षेत्र सवलत_कोड~ প্রোমো_কোড~ কুপন~ ডিসকাউন্ট_কোড~"
    " தள்ளுபடி_குறியீடு~ கூப்பன்~ కూపన్~ ಕೂಪನ್~ ~โค้ดส่วนลด~ ~รหัสส่วนลด~ ~รหัสไปรษณีย์~ ~คูปอง~ ~โค้ดลด~ ma_giam ma_khuyen_mai"
    " ma_uu_dai ma_voucher ma_don ma_khach_hang ma_buu_chinh ma_buu_dien ma_coupon ma_gioi_thieu ma_hoa_don ma_ve"
    " ma_dat_cho ma_dat_phong ma_tra_cuu ma_kh ma_dh ma_sp ma_so_thue ma_kien_hang ma_hang ma_qua ma_cuoc ma_qr"
    " ma_vach ma_gd ma_san_pham ma_dat_ve kode_promo~ kode_pos~ kode_diskon~ kode_voucher~ kode_booking~"
    " kode_referral~ kode_kupon~ kode_resi~ kode_bank~ kode_area~ kode_pembayaran~ kode_pesanan~ kod_promosi~"
    " kod_diskaun~ kod_baucar~ poskod~ kod_penjejakan~ code_ng_promo promo_kodigo msimbo_wa_ofa ikhodi_yesaphulelo"
    " lambar_ragi ~クーポン~ ~優待コード~ ~紹介コード~ ~招待コード~ ~追跡番号~ ~追跡コード~ ~バーコード~ ~店舗コード~"
    " ~予約コード~ ~商品コード~ ~プロモコード~ ~プロモーションコード~ ~할인_코드~ ~쿠폰~ ~추천인코드~ ~추천코드~"
    " ~프로모션코드~ ~예약코드~ ~상품코드~ ~优惠券~ ~優惠券~ ~优惠代码~ ~優惠代碼~ ~折扣碼~ ~折扣代码~ ~邀请码~"
    " ~邀請碼~ ~推荐码~ ~推薦碼~ ~兑换码~ ~兌換碼~ ~邮政编码~ ~郵遞區號~ ~二维码~ ~條碼~ ~条码~ ~股票代码~ ~股票代碼~"
    " ~区号~ ~區號~ ~银行代码~ ~機構代碼~ ~代金券~ cod_amount pay_cod cod_rp cod_php cod_order via_cod ma_giao_dich"
    " old_code old_pin old_password previous_code previous_pin expired_code alter_code alte_pin ancien_code"
    " ancien_mot_de_passe codigo_anterior codigo_antigo vecchio_codice oude_code stary_kod старый_код gammal_kod"
    " gammel_kode",
    "the end of a longer number": "ending ending_in ending_with ending_on ends_in ends_with ends_on last_4"
    " last_four last_3 last_three last_digits terminada_en terminado_en terminados_en terminada_em terminado_em"
    " acabada_en acabado_en acaba_en acabat_en acabada_amb acabat_amb termina_en termina_em termina_con terminante_con"
    " che_termina_con finalizada_en finalizado_en com_final final_do terminat_in terminata_in se_termina_cu"
    " care_se_termina_cu ultimele_cifre se_terminant_par terminant_par se_termine_par termine_par finissant_par"
    " finit_par finissant_en endet_auf endet_mit endend_auf endziffern ~endziffer endnummer endung endung_auf"
    " letzten_ziffern letzten_vier_ziffern eindigend_op eindigt_op eindigende_op laatste_cijfers wat_eindig_op"
    " eindig_op som_slutar_pa slutar_pa slutar_med som_slutter_pa slutter_pa ender_pa som_ender_pa siffrorna endar_a"
    " paattyy paattyva paattyvaan paattyvan loppuu lopp loppeb loppev loppeva mis_lopeb lopeb beidzas kas_beidzas"
    " pabaiga baigiasi besibaigianti~ kuris_baigiasi koncowka koncowce konczacy_sie konczaca_sie konczacy_sie_na"
    " konczaca_sie_na konczacej_sie_na konczy_sie koncici~ konciaci~ koncicim konci konciacim_na koncovka koncovkou"
    " koji_zavrsava zavrsava koja_zavrsava ki_se_konca konca_se koncnico zavrsavaju zavrsnim vegzodo~ vegu_szam"
    " vegzodik qe_perfundon perfundon_me mbaron_me оканчивающ~ оканчивается заканчивающ~ заканчивается закінчується"
    " що_закінчується закінчення последние_цифры завършващ~ завършва завршува завршава завршава_на што_завршува"
    " okanchivayush~ zakanchivayush~ okanchivaetsya zakanchivaetsya zakinchuyetsya sonu son_hanesi son_4_hanesi"
    " son_dört_hanesi bilen_biten biten sonu_olan oxirgi oxiri соңғы соңу төгсгөлийн που_ληγει_σε ληγει_σε ληγοντα"
    " ληγει που_ληγει pou_ligei_se ligei_se ληγοντα_σε τελειωνει_σε ~المنتهي~ ~المنتهية~ ~تنتهي~ ~ينتهي~ ~آخر_أرقام~"
    " ~منتهی_به~ ~منتهی~ ~ختم_شده~ ~המסתיים~ ~המסתיימת~ ~שמסתיים~ ~המסתיימים~ ~ספרות_אחרונות~ ~اختتام~ ~ختم_ہونے~"
    " अंतिम~ समाप्त_होने शेवटचे முடியும்~ చివరి~ ಕೊನೆ~ അവസാനിക്കുന്ന~ ~ลงท้าย~ ~ลงท้ายด้วย~ duoi so_duoi dau_so_cuoi"
    " ket_thuc_bang co_duoi ket_thuc_la 4_so_cuoi berakhiran berakhir berakhir_dengan akhiran yang_berakhir_dengan"
    " nagtatapos nagtatapos_sa inayoishia inayoishia_na inayoishia_kwa inaishia mai_karewa ~末尾~ ~下4桁~ ~下四桁~"
    " ~下3桁~ ~末尾が~ ~끝자리~ ~뒷자리~ ~뒤4자리~ ~끝번호~ ~尾号~ ~尾號~ ~尾号为~ ~末四位~ ~后四位~ ~後四碼~ ~末四碼~"
    " ~尾数~ ~後四位~ ~末4位~ ~末4碼~ ~后4位~ დამთავრებული~ ბოლო վերջացող~ ավարտվող~ የሚያበቃው~",
    "where a code was sent": "sent_to texted_to sending_to emailed_to enviado_a enviada_a enviado_al enviado_para"
    " enviada_para enviado_ao envoye_au envoye_a envoye_sur inviato_al inviato_a inviata_al trimis_la gesendet_an"
    " geschickt_an verstuurd_naar gestuurd_naar verzonden_naar skickats_till skickad_till skickats sendt_til"
    " lahetetty_numeroon wyslany_na wyslalismy_na wyslano_na odeslan_na odoslany_na poslan_na poslana_na"
    " poslan_na_broj отправлен_на отправлено_на выслан_на надіслано_на надіслано_на_номер изпратен_на испратен_на"
    " адпраўлены_на otpravlen_na σταλθηκε_στο εσταλη_στο gonderildi gui_den gui_toi gui_ve dikirim_ke dihantar_ke"
    " ipinadala_sa imetumwa_kwa ~أرسل_إلى~ ~أرسلت_إلى~ ~نשלח_אל~ ~发送至~ ~發送至~ ~发送到~ ~已发至~ ~已發送到~"
    " ~寄送至~ ~로_발송~",
}

OTHER = {  # names for the next number, if it isn't a code
    "en": "call dial phone tel telephone mobile hotline helpline ring contact fax text_to text_stop text_help"
    " sms_to send_to reply_to reply_stop stop unsubscribe to_stop opt_out order orders invoice ref reference booking"
    " reservation confirmation_no ticket case parcel package shipment tracking tracking_number awb receipt account"
    " acct a/c iban card ending ending_in ending_with ends_in ends_with last_4 last_four flight train gate seat room"
    " suite apt apartment floor zip balance amount total price payment transaction txn trx id membership member points"
    " customer_number customer_no case_number license model version build street year since until copyright section"
    " page number_ending meter policy appointment serial patient claim channel bus platform extension ext",
    "es, pt": "llama llame telefono tel pedido factura cuenta tarjeta terminada_en acabada_en vuelo habitacion"
    " saldo importe referencia reserva expediente envio responde responda envia ligue conta cartao terminado_em voo"
    " quarto encomenda protocolo valor ano",
    "fr": "appelez appeler telephone tel commande facture compte carte se_terminant_par terminant_par finissant_par"
    " vol chambre solde montant reference colis numero_de_suivi dossier repondez envoyez annee",
    "de": "rufen anrufen telefon tel hotline bestellung bestellnummer ~bestellnummer auftrag rechnung"
    " ~rechnungsnummer kundennummer endet_auf endend_auf endziffern endnummer flug zimmer saldo betrag sendung"
    " sendungsnummer vorgang ticket aktenzeichen plz jahr antworten vertrag",
    "it": "chiama telefono tel ordine fattura conto carta che_termina_con volo camera saldo importo spedizione"
    " pratica riferimento rispondi invia anno",
    "nl": "bel telefoon bestelling ordernummer bestelnummer factuur rekening eindigend_op bankpas vlucht kamer"
    " saldo bedrag zending klantnummer antwoord",
    "sv, no, da, fi": "ring telefon order ordernummer ordrenummer ordre som_slutar_pa flyg rum saldo belopp pakke"
    " kundnummer soita puhelin lähetys",
    "pl, cs, sk": "telefon tel koncowka lot saldo kwota nr_zamowienia zavolejte volejte castka",
    "hu, ro": "hivja telefon egyenleg suna comanda factura cont cardul colet sold suma",
    "hr, sr, sl, bg": "nazovite pozovite pokličite telefon naročilo фактура",
    "ru, uk": "тел ~заказ счёт баланс сумма сумму рейс трек поезд посилка год",
    "tr": "arayin telefon tel siparis_no bakiye tutar ucus takip_no abone musteri_no randevu",
    "el": "καλεστε τηλεφωνο τηλ υπολοιπο ποσο",
    "ar": "~اتصل~ ~هاتف~ ~الهاتف~ ~طلب~ ~الطلب~ ~طلبك~ ~فاتورة~ ~حساب~ ~الحساب~ ~بطاقة~ ~البطاقة~ ~رصيدك~ ~شحنة~"
    " ~رحلة~ ~المبلغ~",
    "fa, he, ur": "~تماس~ ~تلفن~ ~سفارش~ ~حساب~ ~کارت~ ~مانده~ ~مبلغ~ ~חייג~ ~טלפון~ ~הזמנה~ ~חשבון~ ~כרטיס~ ~יתרה~"
    " آرڈر اکاؤنٹ",
    "hi, bn": "कॉल ऑर्डर खाता खाते कार्ड बिल शेष राशि अकाउंट कल_करें কল বিল",
    "th": "~โทร~ ~คำสั่งซื้อ~ ~บัญชี~ ~บัตร~ ~ยอด~ ~พัสดุ~ ~ใบสั่งซื้อ~",
    "vi, id, ms": "goi dien_thoai don_hang tai_khoan so_the so_du hoa_don chuyen_bay telepon hubungi pesanan"
    " tagihan rekening kad resi nomor_pesanan saldo akaun hub",
    "ja": "~電話~ ~注文番号~ ~ご注文~ ~口座~ ~カード~ ~残高~ ~金額~ ~お問い合わせ~ ~便~ ~伝票番号~ ~予約番号~"
    " ~会員番号~ ~お客様番号~ ~号室~",
    "ko": "~전화~ ~문의~ ~주문번호~ ~주문~ ~계좌~ ~카드~ ~잔액~ ~금액~ ~송장번호~ ~운송장~ ~예약번호~ ~고객센터~"
    " ~회원번호~",
    "zh": "~致电~ ~拨打~ ~撥打~ ~电话~ ~電話~ ~热线~ ~客服~ ~订单~ ~訂單~ ~订单号~ ~账户~ ~帳戶~ ~尾号~ ~尾號~"
    " ~末四位~ ~余额~ ~餘額~ ~金额~ ~航班~ ~单号~ ~單號~ ~运单~ ~快递~ ~编号~ ~編號~ ~房间~ ~回复~ ~回覆~",
    "en, more": "customer customer_id client client_id policy_number request request_no docket docket_no complaint"
    " service_request helpdesk enquiry inquiry query number_plate plate registration reg reg_no vehicle consignment"
    " waybill awb_no docket_number job job_no po purchase_order quote quotation statement loan loan_account folio"
    " scheme employee staff_id student student_id roll roll_no exam candidate utr rrn stan auth_code approval_code"
    " approval_no authorization_code_ref reference_code ref_code transaction_code confirmation_code_for_booking conf"
    " conf_no conf# locator record_locator locker locker_no locker_number bay slot table row block unit sector ward"
    " coach berth pnr toll account_no account_number acc a_c ac_no acct_no card_no card_number debit_card credit_card"
    " speed score steps calories kwh odometer mileage reading meter_no consumer consumer_no units temperature pressure"
    " version_no firmware issue vol volume lot batch sku qty quantity dept department msg_id message_id session"
    " session_id device device_id imei serial_number sn meeting_id webinar_id conference_id room_number extension_no"
    " helpline_no whatsapp_us whatsapp_on call_us dial_in toll_free available avl_bal avl_lmt avbl_bal limit"
    " outstanding due credited debited deposited withdrawn received pay_by spent charged refund refunded won prize"
    " bonus salary population visitors followers likes votes contestant raffle draw lottery winning_number"
    " confirmation_number booking_confirmation order_confirmation payment_confirmation reservation_confirmation"
    " appointment_confirmation confirmed_for user_id username user_name login_id userid user users",
    "es, pt, ca, gl, more": "cuenta_no numero_de_cuenta numero_de_pedido numero_de_guia guia envio envios paquete"
    " numero_de_referencia ref folio poliza contrato cliente numero_de_cliente turno mesa piso puerta calle cita"
    " ticket boleto boleta monto total pago abono cargo retiro transaccion operacion no_de_operacion"
    " numero_de_operacion autorizacion_no aprobacion llamar llamanos llamenos comuniquese marca marque linea whatsapp"
    " celular movil fijo matricula legajo dni nit cuit rfc cedula comanda compte targeta telefon factura trucar truqui"
    " trucada paquet enviament encarrega conta_corrente agencia nota_fiscal nf numero_do_pedido pacote objeto rastreio"
    " rastreamento apolice contacte contato telefone telemovel ligar ligue_para central sac nif nib iban cpf cnpj"
    " multibanco entidade referencia senha_da_fila atendimento voo lugar porta sala consulta compra compras"
    " no_valor_de saldo_de chame pedido_n protocolo_n encomenda_n transacao usuario",
    "fr, more": "numero_de_commande numero_de_client numero_de_colis numero_de_compte no_de_compte no_client"
    " numero_client client contrat police sinistre dossier_no ref reservation rendez_vous rdv salle porte siege place"
    " voiture train bus ligne appelez_le contactez contactez_le joignez composez tapez_stop stop stop_au"
    " immatriculation siret facture_no montant_de paiement virement prelevement abonnement ticket ticket_no suivi"
    " livraison expedition envoi numero_d_abonne abonne identifiant identifiant_client",
    "it, ro, more": "numero_ordine ordine_n numero_di_conto conto_n pacco spedizione_n cliente numero_cliente"
    " contratto polizza pratica_n prenotazione biglietto posto treno binario carrozza aula sportello ritiro ticket"
    " segnalazione chiamare telefono_n cellulare contatta contattare cell numero_verde fattura_n bolletta pagamento"
    " bonifico prelievo rata totale partita_iva targa comanda_nr comenzii nr_comanda numar_comanda contul cont_nr"
    " factura_nr client cod_client abonat contract polita sinistru dosar rezervare bilet locul tren apelati sunati"
    " telefon tel coletul awb expediere livrare curier plata suma_de total soldul programare ghiseu",
    "de, more": "auftragsnummer ~auftragsnummer auftrags_nr bestell_nr kunden_nr kundennr ~kundennummer"
    " vertragsnummer ~vertragsnummer versicherungsnummer rechnungs_nr rechnungsnr konto_nr ~kontonummer kundenkonto"
    " ~kartennummer kreditkarte girocard referenz referenznummer ~referenz ref ref_nr vorgangsnummer ~vorgangsnummer"
    " ticketnummer ~ticketnummer fallnummer schadennummer mitgliedsnummer ~mitgliedsnummer ~paket paket_nr sendungs_nr"
    " ~sendungsnummer zug gleis wagen platz sitz tisch raum haus hausnummer strasse termin buchung buchungsnummer"
    " ~buchungsnummer reservierung rufnummer ~rufnummer mobilnummer handynummer telefonnummer hotline_nr mobil fax"
    " anruf zahlung ueberweisung überweisung lastschrift abbuchung guthaben gesamt summe rate kennzeichen"
    " personalnummer matrikelnummer steuernummer zaehler zählerstand zählernummer filiale fahrt linie benutzername"
    " packstation ~paketshop",
    "nl, af, more": "bestelnr ordernr klantnr klantnummer rekeningnummer rekeningnr pakket pakketnummer"
    " zendingnummer trackingnummer polis polisnummer contract contractnummer dossier dossiernummer reservering"
    " reserveringsnummer boeking boekingsnummer factuurnummer referentie referentienummer kenmerk ticket trein spoor"
    " stoel tafel afspraak telefoonnummer mobiel bellen bel_ons bel_naar sms_naar nummer_eindigend pas passnummer"
    " betaling overschrijving totaal termijn huisnummer postcode kenteken meterstand bestel_nr rekening_nr"
    " bestelling_nr rekeningnommer bestelnommer kliëntnommer verwysing verwysingsnommer skakel pakkie gebruikersnaam",
    "sv, no, da, is, more": "ordrenr ordernr kundnr kundenr kundenummer pakken kollinr kollinummer kolli sandning"
    " sendingsnummer sporingsnummer pakkenummer referens referensnummer referanse referansenummer reference"
    " referencenummer arende arendenummer sagsnummer saksnummer bokning bokningsnummer booking bookingnummer bestilt"
    " reservasjon faktura_nr ocr ocr_nummer kid kid_nummer betalning betaling betal overforing overforsel totalt total"
    " tog tag spor plass plats sete sade avtal avtale abonnement telefonnummer mobilnummer mobil ring_oss ring_til"
    " meterstand matarstallning polise forsikring personnummer medlem medlemsnummer reikningur reikningsnumer sending"
    " hringdu simi kort_nummer saldo_pa ombud butik lager bestill~ beställ~ bestall~ forsendelse~ försändelse~ kort~"
    " pontun~ pakkeshop pakkeboks brugernavn brukernavn anvandarnamn",
    "fi, et, more": "lahetystunnus seurantakoodi seurantatunnus viite viitenumero kortti_nro juna raide paikka"
    " poyta huone aika ajanvaraus puh soita_numeroon maksu summa yhteensa tellimuse_nr kaart arve_nr pakk pakk_nr"
    " saadetise_nr viitenumber broneeringu_nr kliendinumber helista helistage telefon tel saldo makse rong koht"
    " kliendi_nr numeroon numerosta tilau~ tili~ lasku~ paket~ varau~ asiakas~ tellimus~ saadeti~ arve~ broneering~"
    " kaardi~",
    "lv, lt, more": "pasutijuma_nr pasutijuma_numurs konta_nr konta_numurs rekina_nr sutijuma_nr paka pakas"
    " klienta_nr klienta_numurs zvaniet talr talrunis atlikums summa maksajums ligums liguma_nr vilciens vieta vizite"
    " uzsakymo_nr uzsakymo_numeris saskaitos_nr siuntos_nr kliento_nr kliento_kodas skambinkite tel telefonas likutis"
    " suma mokejimas sutartis sutarties_nr traukinys vizitas asmens_kodas imones_kodas pasutijum~ sutijum~ kont~ kart~"
    " rekin~ uzsakym~ saskait~ sąskait~ siunt~",
    "pl, more": "zamowienie_nr numer_zamowienia nr_zamowienia konto_nr numer_konta nr_konta rachunek_nr karty_nr"
    " nr_paczki numer_paczki przesylki_nr numer_przesylki list_przewozowy klient klienta nr_klienta numer_klienta"
    " nr_umowy polisa polisy nr_polisy sprawa sprawy nr_sprawy zgloszenie zgloszenia nr_zgloszenia nr_rezerwacji bilet"
    " biletu pociag peron wagon miejsce pokoj sala gabinet wizyta termin telefonu numer_telefonu infolinia dzwon kwote"
    " kwocie przelew przelewu platnosc platnosci wplata wyplata saldo_konta srodki dostepne transakcja transakcji"
    " nr_transakcji operacja operacji nr_operacji licznik nr_faktury faktura_nr pesel nip regon kod_kreskowy zamowien~"
    " przesylk~ paczk~ rachun~ zadzwon~ rezerwacj~ umow~ paczkomat paczkomatu skrytka",
    "cs, sk, more": "objednavky_c cislo_objednavky obj objednavka_c uctu cislo_uctu ucet_c uctem cislo_karty"
    " cislo_zasilky zasilka_c cislo_zasielky zakaznik zakaznicke_cislo zakaznika cislo_smlouvy cislo_zmluvy pojistka"
    " poistka faktury_c cislo_faktury variabilni_symbol variabilny_symbol rezervace_c vlak kolej sedadlo vuz mistnost"
    " miestnost pokoj izba termin tel_c telefonu linka linku infolinka volat platba platby platbu suma zostatok"
    " zustatek celkem spolu kuryr kurier stav_uctu uloz udalost pripad ico dic rodne_cislo objednavk~ zasilk~ zasielk~"
    " balik~ ucet~ smlouv~ zmluv~ rezervac~ faktur~ kart~ volejte",
    "hu, more": "rendelesi_szam bankszamla bankszamlaszam kuldemeny kuldemenyszam szerzodes szerzodesszam kotveny"
    " foglalasi_szam jegy vonat kocsi hely terem szoba idopont telefonszam hivjon hivd osszeg osszege fizetes"
    " befizetes utalas tranzakcio egyenlege azonosito referencia hivatkozasi_szam ugyszam adoszam adoazonosito"
    " rendeles~ szamla~ csomag~ ugyfel~ foglalas~ bankkartya~",
    "hr, sr, bs, sl, sq, more": "narudzba_br broj_narudzbe broj_porudzbine racun_br broj_racuna broj_kartice"
    " broj_posiljke kupac broj_kupca klijent ugovor ugovora broj_ugovora polica broj_rezervacije vlak voz autobus"
    " peron sjedalo sediste soba termin broj_telefona tel nazovite zovite pozovite iznos iznosu uplata isplata"
    " placanje stanje stanje_racuna saldo ukupno transakcija st_narocila stevilka_narocila st_racuna stevilka_racuna"
    " transakcijski stevilka_posiljke stranka pogodba pogodbe klicite poklicite telefonska znesek placilo porosia"
    " porosi porosia_nr llogaria llogarine llogari numri_i_llogarise pakoja pako dergesa fatures rezervimi rezervim"
    " telefononi telefoni shuma pagesa bilanci klienti narudzb~ porudzbin~ posiljk~ racun~ narocil~ paket~",
    "ru, more": "заказа_№ заказ_№ номер_заказа счёта счётом счёту номер_счета номер_счёта номер_карты"
    " почтовое_отправление груз груза номер_заявки обращение обращения обращение_№ лицевой лицевого л_с"
    " электронный_билет вагон место мест путь кабинет каб палата талон талона очередь столик номер_телефона"
    " горячая_линия линия звоните_по смс_на отправьте_на перевод перевода платеж платёж платежа оплата оплаты списание"
    " зачисление покупка остаток доступно итого чек чека инн снилс огрн накладная_№ трек_номер трекинг показания штраф"
    " постановление постановление_№ операция операции операция_№ квартира кв дом подъезд этаж водитель авто машина"
    " гос_номер госномер заказ~ счет~ карт~ посылк~ отправлен~ заявк~ договор~ полис~ клиент~ билет~ телефон~ звон~"
    " позвон~ перезвон~ брон~ накладн~ квитанц~ логин",
    "uk, be, bg, mk, more": "замовлення_№ номер_замовлення номер_рахунку номер_картки посилку посилки ттн"
    " експрес_накладна клієнт клієнта договір поліс квиток квитка потяг поїзд вагон місце кабінет запис талон"
    " подзвоніть гаряча_лінія сума переказ платіж платежу оплата баланс залишок чек пасылка пасылкі тэлефануйце"
    " тэлефон поръчка_№ номер_на_поръчка поръчката_ви фактура_№ пратка_№ товарителница клиентски_номер полица"
    " резервация влак място кабинет час обадете_се позвънете звъннете тел_за плащане превод наличност нарачката_бр"
    " фактурата резервација јавете_се износ уплата салдо порудзбина поруџбина поруџбине наруџба рачун рачуна рачуну"
    " пошиљка пошиљке фактура позовите стање замовлен~ рахун~ відправлен~ дзвон~ зателефон~ поръчк~ сметк~ пратк~"
    " обад~ нарачк~ достав~ логін",
    "ru, uk, bg in Latin letters": "zakaz zakaza zakazu nomer_zakaza schet scheta schetu schyot posylka posylku"
    " otpravlenie balans summa summu ostatok dogovor klient bron bilet poezd reis reys vagon zvonite pozvonite telefon"
    " tel perevod platezh oplata pokupka spisanie zachislenie zayavka dostupno chek zamovlennya rahunok rakhunok"
    " vidpravlennya telefonuyte dzvonit suma zalyshok poruchka porachka smetka smetkata pratka obadete vash_login",
    "tr, az, uz, kk, ky, mn, more": "siparis_numarasi siparisiniz_no hesap_no hesap_numarasi kart_no kargo_takip"
    " takip_numarasi takip gonderi_no musteri_numarasi sozlesme sozlesme_no police_no rezervasyon_no pnr bilet sefer"
    " koltuk peron oda salon randevu_no telefon_numarasi arayiniz cagri cagri_merkezi tutari tutarinda odeme havale"
    " eft bakiyeniz ref referans referans_no islem islem_no dosya_no abone_no tesisat_no fatura_no plaka tc_kimlik"
    " sifaris_no sifaris_nomresi baglama baglamaniz izleme_nomresi musteri_nomresi muqavile bron reys zeng zeng_edin"
    " telefon elaqe mebleg mebleğ balans balansiniz odenis emeliyyat buyurtma_raqami buyurtmangiz_raqami hisob_raqami"
    " posilka jonatma mijoz shartnoma chipta poyezd qongiroq tel summa miqdor balansingiz tolov tolovi otkazma буюртма"
    " ҳисоб шот шоты сәлемдеме жөнелтілім шарт пойыз қоңырау сома төлем баланс теңгерім буйрутма эсеп чалыңыз сумма"
    " төлөм захиалгын_дугаар дансны_дугаар илгээмж утас утасны утсаар дүн төлбөр үлдэгдэл гэрээ тасалбар фармоиш"
    " ҳисоби суратҳисоб sipariş~ siparis~ hesab~ hesap~ kart~ kargo~ fatura~ gonderi~ rezervasyon~ musteri~ sifaris~"
    " buyurtma~ hisob~ тапсырыс~ шот~ захиалг~ данс~",
    "el, more": "αριθμος_παραγγελιας παραγγελια_σας αριθμος_λογαριασμου αριθμος_καρτας καρτα_σας αριθμος_αποστολης"
    " εισιτηριο πελατη κωδικος_πελατη κωδικος_παραγγελιας κωδικος_κρατησης κωδικος_αποστολης κωδικος_πληρωμης ρφ"
    " συμβολαιο συμβολαιου πτηση τρενο θεση δωματιο ραντεβου τηλεφωνο_επικοινωνιας επικοινωνηστε καλεστε_στο ποσου"
    " πληρωμη πληρωμης συναλλαγη συναλλαγης αναφορα αιτημα αφμ paraggelia parangelia logariasmos logariasmo"
    " logariasmou apostoli dema kratisi tilefono kaleste poso ypoloipo παραγγελ~ λογαριασμ~ καρτ~ δεμα~ αποστολ~"
    " κρατησ~ τιμολογ~",
    "ar, more": "~طلبية~ ~الطلبية~ ~طلبكم~ ~حسابك~ ~حسابكم~ ~لحساب~ ~بطاقتك~ ~بطاقتكم~ ~شحنتك~ ~الشحنة~ ~طرد~"
    " ~الطرد~ ~طردك~ ~تتبع~ ~التتبع~ ~فاتورتك~ ~الفاتورة~ ~حجز~ ~الحجز~ ~حجزك~ ~تذكرة~ ~التذكرة~ ~مرجع~ ~المرجع~"
    " ~المرجعي~ ~عميل~ ~العميل~ ~عقد~ ~العقد~ ~وثيقة~ ~موعد~ ~موعدك~ ~للاستفسار~ ~اتصل_على~ ~جوال~ ~الجوال~ ~هاتفك~"
    " ~رصيد~ ~الرصيد~ ~مبلغ~ ~بمبلغ~ ~سداد~ ~دفع~ ~حوالة~ ~عملية_رقم~ ~رحلتك~ ~مقعد~ ~بوابة~ ~غرفة~ ~رقم_العملية~"
    " ~معاملة~ ~المعاملة~ ~بلاغ~",
    "fa, he, ur, ps, ckb, more": "~شماره_سفارش~ ~سفارش~ ~شماره_حساب~ ~حساب~ ~کارت~ ~مرسوله~ ~بسته~ ~رهگیری~"
    " ~پیگیری~ ~فاکتور~ ~قبض~ ~شناسه_قبض~ ~شناسه_پرداخت~ ~رزرو~ ~بلیط~ ~پرواز~ ~قطار~ ~مشتری~ ~قرارداد~ ~نوبت~"
    " ~موجودی~ ~واریز~ ~برداشت~ ~خرید~ ~شناسه~ ~پلاک~ ~اشتراک~ ~משלוח~ ~חבילה~ ~חבילתך~ ~מעקב~ ~חשבונית~ ~חשבונך~"
    " ~לחשבון~ ~כרטיסך~ ~לקוח~ ~אסמכתא~ ~אישור_הזמנה~ ~פנייה~ ~תור~ ~טיסה~ ~רכבת~ ~חדר~ ~סכום~ ~יתרתך~ ~תשלום~"
    " ~התקשרו~ ~התקשר~ ~לבירורים~ ~נייד~ ~פוליסה~ ~חוזה~ ~הזמנתך~ ~הזמנה_מספר~ ~סניף~ ~آرڈر~ ~اکاؤنٹ~ ~کارڈ~ ~بیلنس~"
    " ~رقم~ ~پارسل~ ~ٹریکنگ~ ~بل~ ~انوائس~ ~بکنگ~ ~ٹکٹ~ ~کال_کریں~ ~رابطہ~ ~کسٹمر~ ~فلائٹ~ ~فرمایش~ ~حوالہ~ ~شکایت~"
    " ~داواکاری~ ~هەژمار~",
    "hi, mr, ne, bn, pa, gu, more": "खाता_संख्या खाता_सं ऑर्डर_संख्या ऑर्डर_नंबर अकाउंट_नंबर कार्ड_नंबर पार्सल शिपमेंट"
    " ट्रैकिंग इनवॉइस चालान रसीद बुकिंग टिकट पीएनआर ट्रेन कोच सीट ग्राहक ग्राहक_संख्या पॉलिसी संदर्भ शिकायत शिकायत_संख्या"
    " अनुरोध मोबाइल मोबाइल_नंबर फोन फ़ोन हेल्पलाइन टोल_फ्री रुपये राशि_रु भुगतान लेनदेन बैलेंस रिचार्ज खात्यात खाते_क्रमांक"
    " ऑर्डर_क्रमांक अर्डर अर्डर_नम्बर खाता_नम्बर मौज्दात অর্ডার~ অর্ডার_নম্বর একাউন্ট~ অ্যাকাউন্ট~ হিসাব~ কার্ড~ পার্সেল~ ট্র্যাকিং~"
    " ইনভয়েস~ বুকিং~ টিকিট~ ট্রেন~ গ্রাহক~ অভিযোগ~ মোবাইল~ ফোন~ ব্যালেন্স~ টাকা~ পেমেন্ট~ রিচার্জ~ হেল্পলাইন~ ਆਰਡਰ~ ਖਾਤਾ~"
    " ਖਾਤੇ~ ਕਾਰਡ~ ਬਿੱਲ~ ਪਾਰਸਲ~ ઓર્ડર~ ખાતા~ ખાતું~ કાર્ડ~ બિલ~ પાર્સલ~ अंतिम अंत शेवट শেষ",
    "hi, bn in Latin letters": "khata khate khaate account_no order_no bil bill parcel paarcel dial_karein"
    " call_karein call_karen sampark mobile_number balance_rs recharge",
    "ta, te, kn, ml, si, more": "ஆர்டர்~ கணக்கு~ கணக்கில்~ அட்டை~ கார்டு~ பில்~ பார்சல்~ அழைக்க~ இருப்பு~ ஆணை~ முன்பதிவு~ ఆర్డర్~"
    " ఖాతా~ కార్డు~ బిల్లు~ పార్శిల్~ కాల్~ బ్యాలెన్స్~ ಆರ್ಡರ್~ ಖಾತೆ~ ಕಾರ್ಡ್~ ಬಿಲ್~ ಪಾರ್ಸೆಲ್~ ಕರೆ~ ഓർഡർ~ അക്കൗണ്ട്~ കാർഡ്~ ബിൽ~ പാഴ്സൽ~"
    " വിളിക്കുക~ ඇණවුම~ ගිණුම~ කාඩ්පත~ බිල්පත~ පාර්සලය~ අමතන්න~",
    "th, my, km, lo, more": "~หมายเลขพัสดุ~ ~เลขพัสดุ~ ~เลขที่บัญชี~ ~หมายเลขคำสั่งซื้อ~ ~ออเดอร์~ ~ใบแจ้งหนี้~ ~ติดต่อ~"
    " ~เบอร์~ ~เบอร์โทร~ ~สายด่วน~ ~ยอดเงิน~ ~จำนวนเงิน~ ~คงเหลือ~ ~โอน~ ~ลูกค้า~ ~สมาชิก~ ~กรมธรรม์~ ~การจอง~ ~เที่ยวบิน~"
    " ~ขบวน~ ~ที่นั่ง~ ~ห้อง~ ~นัดหมาย~ ~อ้างอิง~ ~ทะเบียน~ ~คิว~ ~รหัสลูกค้า~ ~รหัสสมาชิก~ ~รหัสสินค้า~ ~รหัสพัสดุ~"
    " ~รหัสการจอง~ ~รหัสอ้างอิง~ ref_no ~အော်ဒါ~ ~အကောင့်~ ~ကတ်~ ~ဖုန်း~ ~လက်ကျန်~ ~ငွေစာရင်း~ ~បញ្ជាទិញ~ ~គណនី~ ~កាត~ ~ទូរស័ព្ទ~"
    " ~សមតុល្យ~ ~កញ្ចប់~ ~ຄໍາສັ່ງຊື້~ ~ຄຳສັ່ງຊື້~ ~ບັນຊີ~ ~ບັດ~ ~ໂທ~ ~ຍອດ~ ~ພັດສະດຸ~",
    "vi, more": "don_hang_so so_don_hang so_tai_khoan stk tk so_tk the_so so_hop_dong hop_dong kien_hang buu_kien"
    " van_don khach_hang so_khach_hang hoa_don_so dat_cho dat_phong chuyen tau toa ghe phong so_phong lich_hen hotline"
    " tong_dai lien_he sdt so_dien_thoai dt so_tien thanh_toan giao_dich gd so_gd sd thu_ho shipper bien_so so_phieu"
    " phieu tham_chieu chuyen_khoan nap_the",
    "id, ms, tl, more": "nomor_rekening no_rekening no_rek rek nomor_kartu no_kartu nomor_resi no_resi nomor_paket"
    " no_pesanan order_id nomor_order id_pelanggan nomor_pelanggan no_pelanggan pelanggan invoice no_invoice"
    " nomor_tagihan booking nomor_booking tiket no_tiket penerbangan kereta gerbong kursi kamar ruang antrian"
    " nomor_antrian jadwal janji no_hp nomor_hp telp hubungi_kami call_center jumlah nominal sejumlah sebesar"
    " total_bayar transfer pembayaran transaksi no_transaksi no_ref ref referensi nomor_referensi polis pengaduan"
    " laporan kurir pulsa sisa nombor_akaun no_akaun nombor_kad no_kad bungkusan pesanan_no nombor_pesanan bil no_bil"
    " rujukan no_rujukan tempahan bilik temujanji amaun baki bayaran pindahan telefon tel hubungi account_mo order_mo"
    " numero_ng_order numero_ng_account tumawag tawagan tumawag_sa balanse halaga padala parsela resibo",
    "sw, ha, yo, ig, zu, so, am, more": "agizo oda oda_yako namba_ya_oda akaunti akaunti_namba namba_ya_akaunti"
    " nambari_ya_akaunti kadi salio kiasi malipo simu piga piga_simu wasiliana tiketi kifurushi mzigo ankara mteja"
    " asusu oda_lamba lambar_waya kira kudi ma_auni nomba_foonu akanti ibere owo pe nọmba_ekwentị akauntu i-oda"
    " i_akhawunti iakhawunti ikhadi ibhalansi shayela ucingo dalab dalabka akoonka xisaabta lacag wac taleefan haraaga"
    " ~ትዕዛዝ~ ~ሂሳብ~ ~ካርድ~ ~ይደውሉ~ ~ስልክ~ ~ቀሪ~ ~ብር~",
    "ka, hy, more": "შეკვეთა~ შეკვეთის~ ანგარიშ~ ბარათ~ ამანათ~ ინვოის~ ჯავშან~ ბილეთ~ დარეკ~ ტელ~ ბალანს~ თანხ~"
    " გადახდ~ ნაშთ~ shekveta~ angarish~ պատվեր~ հաշիվ~ հաշվ~ քարտ~ առաքան~ ծանրոց~ հեռ~ զանգ~ մնացորդ~ գումար~ վճար~"
    " ամրագր~ տոմս~",
    "ja, more": "~ご予約番号~ ~受付番号~ ~管理番号~ ~お届け~ ~荷物~ ~配送番号~ ~送り状~ ~送り状番号~ ~契約番号~"
    " ~契約者番号~ ~証券番号~ ~請求~ ~請求番号~ ~ご利用~ ~お支払い~ ~お振込~ ~振込~ ~振替~ ~整理番号~ ~座席~ ~号車~"
    " ~のりば~ ~番線~ ~客室~ ~部屋~ ~電話番号~ ~携帯番号~ ~フリーダイヤル~ ~ポイント残高~ ~会員id~ ~お問合せ番号~"
    " ~お問い合わせ番号~ ~車両番号~ ~支店~ ~口座番号~ ~顧客番号~ ~診察券~ ~合計~",
    "ko, more": "~주문_번호~ ~계좌번호~ ~카드번호~ ~운송장_번호~ ~택배~ ~배송~ ~접수번호~ ~고객번호~ ~관리번호~"
    " ~예약_번호~ ~계약번호~ ~증권번호~ ~청구~ ~결제~ ~입금~ ~출금~ ~이체~ ~승인금액~ ~포인트~ ~전화번호~ ~휴대폰~"
    " ~대표번호~ ~좌석~ ~호차~ ~열차~ ~항공편~ ~객실~ ~대기번호~ ~진료~ ~사건번호~ ~차량~ ~상담~ ~거래번호~",
    "zh, more": "~账号~ ~帳號~ ~账户号~ ~卡号~ ~卡號~ ~户号~ ~戶號~ ~客户号~ ~客戶編號~ ~会员号~ ~會員編號~ ~保单~"
    " ~保單~ ~合同~ ~合約~ ~流水号~ ~交易号~ ~参考号~ ~參考編號~ ~订单编号~ ~訂單編號~ ~运单号~ ~快递单号~ ~快遞~"
    " ~包裹~ ~货件~ ~物流~ ~取件人~ ~车次~ ~車次~ ~座位~ ~登机口~ ~登機門~ ~房号~ ~房間~ ~排队号~ ~排號~ ~挂号~ ~预约~"
    " ~預約~ ~预约号~ ~工单~ ~案件~ ~案号~ ~发票~ ~發票~ ~账单~ ~帳單~ ~手机~ ~手機~ ~手机号~ ~手機號碼~ ~咨询~ ~查詢~"
    " ~详询~ ~洽~ ~服务热线~ ~專線~ ~专线~ ~车牌~ ~車牌~ ~积分~ ~積分~ ~消费~ ~消費~ ~支付~ ~轉帳~ ~转账~ ~充值~"
    " ~话费~ ~流量~ ~退订~ ~回t~",
}

NUMBER = {  # labels without meaning next to a word for "code", which count against a code elsewhere
    "a number of some kind": "number numbers no nr num nbr no. nr. numero numeros numéro numéros número números"
    " nummer nummern nomer nommer numer numeru numerem cislo cisla čísla cislem szam szama szamu szamon broj broja"
    " stevilka st numar numarul numri numrin numurs numura numuru numeris numerio skaicius uimhir rhif zenbakia numru"
    " номер номера номером номеру нумар номерът број бр дугаар дугаарт нөмір нөмірі номери raqam raqami raqamli"
    " raqamingiz nomre nomresi nomreniz numara numarasi numaraniz sayi sayisi αριθμος αριθμο αριθμου arithmos arithmo"
    " ~رقم~ ~الرقم~ ~برقم~ ~شماره~ ~مספר~ ~מספר~ ~نمبر~ ~شمېره~ ~ژمارە~ नंबर नम्बर संख्या क्रमांक নম্বর নাম্বার নং எண் நம்பர்"
    " నంబర్ సంఖ్య ಸಂಖ್ಯೆ നമ്പർ અંક નંબર ਨੰਬਰ අංකය ~หมายเลข~ ~เลขที่~ so nomor nombor bilangan numero_ng namba nambari lamba"
    " nomba inombolo lambarka ~番号~ ~번호~ ~号码~ ~號碼~ ~编号~ ~編號~ ნომერ~ համար~ ~ቁጥር~ ~လမ်း~ ~နံပါတ်~ ~លេខ~ ~ເລກ~",
}
