"""The host link, from pins to packets; `bnnhw.gateware.link.board_link` puts it together."""
