"""The host link, from pins to packets; `bnnhw.gateware.board_link` puts it together."""
