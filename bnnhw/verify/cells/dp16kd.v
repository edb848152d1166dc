// Block RAM of ECP5, DP16KD, for simulation: yosys has the cell without a model.
//
// After Lattice, TN-02204 "ECP5 and ECP5-5G Memory Usage Guide": 1024 rows of 18 bits, of which each port sees words of
// 1, 2, 4, 9 or 18 bits, or two rows of 36 bits with A's pins as the low half. Words of fewer than 9 bits lie in the
// low 8 of each 9. Address bit n stands for 2^n bits (2^n * 9 / 8 from 9 on); below a word's own bits, the address pins
// of a port of 18 or 36 bits are its byte enables. Reads are registered; what a port shows when it writes, WRITEMODE
// says. Initial rows are 20 bits apart in INITVAL_xx, 16 in each.
//
// Not modelled, and refused: the output registers (REGMODE), and other chip selects than 0b000.
// When one port reads what the other writes in the same cycle, the old content is read.
module DP16KD(
    input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11,
        DIA12, DIA13, DIA14, DIA15, DIA16, DIA17, ADA0, ADA1, ADA2, ADA3, ADA4, ADA5,
        ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13, CEA, OCEA, CLKA, WEA,
        RSTA, CSA0, CSA1, CSA2,
    input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11,
        DIB12, DIB13, DIB14, DIB15, DIB16, DIB17, ADB0, ADB1, ADB2, ADB3, ADB4, ADB5,
        ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13, CEB, OCEB, CLKB, WEB,
        RSTB, CSB0, CSB1, CSB2,
    output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11,
        DOA12, DOA13, DOA14, DOA15, DOA16, DOA17, DOB0, DOB1, DOB2, DOB3, DOB4, DOB5,
        DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter INIT_DATA = "STATIC";
    parameter WID = 0;
    parameter [319:0] INITVAL_00 = 320'h0;
    parameter [319:0] INITVAL_01 = 320'h0;
    parameter [319:0] INITVAL_02 = 320'h0;
    parameter [319:0] INITVAL_03 = 320'h0;
    parameter [319:0] INITVAL_04 = 320'h0;
    parameter [319:0] INITVAL_05 = 320'h0;
    parameter [319:0] INITVAL_06 = 320'h0;
    parameter [319:0] INITVAL_07 = 320'h0;
    parameter [319:0] INITVAL_08 = 320'h0;
    parameter [319:0] INITVAL_09 = 320'h0;
    parameter [319:0] INITVAL_0A = 320'h0;
    parameter [319:0] INITVAL_0B = 320'h0;
    parameter [319:0] INITVAL_0C = 320'h0;
    parameter [319:0] INITVAL_0D = 320'h0;
    parameter [319:0] INITVAL_0E = 320'h0;
    parameter [319:0] INITVAL_0F = 320'h0;
    parameter [319:0] INITVAL_10 = 320'h0;
    parameter [319:0] INITVAL_11 = 320'h0;
    parameter [319:0] INITVAL_12 = 320'h0;
    parameter [319:0] INITVAL_13 = 320'h0;
    parameter [319:0] INITVAL_14 = 320'h0;
    parameter [319:0] INITVAL_15 = 320'h0;
    parameter [319:0] INITVAL_16 = 320'h0;
    parameter [319:0] INITVAL_17 = 320'h0;
    parameter [319:0] INITVAL_18 = 320'h0;
    parameter [319:0] INITVAL_19 = 320'h0;
    parameter [319:0] INITVAL_1A = 320'h0;
    parameter [319:0] INITVAL_1B = 320'h0;
    parameter [319:0] INITVAL_1C = 320'h0;
    parameter [319:0] INITVAL_1D = 320'h0;
    parameter [319:0] INITVAL_1E = 320'h0;
    parameter [319:0] INITVAL_1F = 320'h0;
    parameter [319:0] INITVAL_20 = 320'h0;
    parameter [319:0] INITVAL_21 = 320'h0;
    parameter [319:0] INITVAL_22 = 320'h0;
    parameter [319:0] INITVAL_23 = 320'h0;
    parameter [319:0] INITVAL_24 = 320'h0;
    parameter [319:0] INITVAL_25 = 320'h0;
    parameter [319:0] INITVAL_26 = 320'h0;
    parameter [319:0] INITVAL_27 = 320'h0;
    parameter [319:0] INITVAL_28 = 320'h0;
    parameter [319:0] INITVAL_29 = 320'h0;
    parameter [319:0] INITVAL_2A = 320'h0;
    parameter [319:0] INITVAL_2B = 320'h0;
    parameter [319:0] INITVAL_2C = 320'h0;
    parameter [319:0] INITVAL_2D = 320'h0;
    parameter [319:0] INITVAL_2E = 320'h0;
    parameter [319:0] INITVAL_2F = 320'h0;
    parameter [319:0] INITVAL_30 = 320'h0;
    parameter [319:0] INITVAL_31 = 320'h0;
    parameter [319:0] INITVAL_32 = 320'h0;
    parameter [319:0] INITVAL_33 = 320'h0;
    parameter [319:0] INITVAL_34 = 320'h0;
    parameter [319:0] INITVAL_35 = 320'h0;
    parameter [319:0] INITVAL_36 = 320'h0;
    parameter [319:0] INITVAL_37 = 320'h0;
    parameter [319:0] INITVAL_38 = 320'h0;
    parameter [319:0] INITVAL_39 = 320'h0;
    parameter [319:0] INITVAL_3A = 320'h0;
    parameter [319:0] INITVAL_3B = 320'h0;
    parameter [319:0] INITVAL_3C = 320'h0;
    parameter [319:0] INITVAL_3D = 320'h0;
    parameter [319:0] INITVAL_3E = 320'h0;
    parameter [319:0] INITVAL_3F = 320'h0;

    reg [17:0] rows[0:1023];
    reg [35:0] shown_a = 0, shown_b = 0;

    localparam [20479:0] INITIAL = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    integer row;
    reg [319:0] sixteen;
    initial begin
        if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || CSDECODE_A != "0b000" || CSDECODE_B != "0b000") begin
            $display("Error: DP16KD: a mode that this model does not have");
            $finish;
        end
        for (row = 0; row < 1024; row = row + 1) begin
            // Icarus takes a second to cut a thousand pieces out of all of them.
            if (row % 16 == 0) sixteen = INITIAL[20 * row +: 320];
            rows[row] = sixteen[20 * (row % 16) +: 18];
        end
    end

    // The bits of two rows that a word has, and how far up it lies there.
    function [35:0] lanes(input integer width, input [13:0] address);
        case (width)
            1: lanes = 36'h1 << place(width, address);
            2: lanes = 36'h3 << place(width, address);
            4: lanes = 36'hf << place(width, address);
            9: lanes = 36'h1ff << place(width, address);
            18: lanes = 36'h3ffff << place(width, address);
            default: lanes = 36'hfffffffff;
        endcase
    endfunction

    function integer place(input integer width, input [13:0] address);
        case (width)
            1: place = 18 * address[4] + 9 * address[3] + address[2:0];
            2: place = 18 * address[4] + 9 * address[3] + 2 * address[2:1];
            4: place = 18 * address[4] + 9 * address[3] + 4 * address[2];
            9: place = 18 * address[4] + 9 * address[3];
            18: place = 18 * address[4];
            default: place = 0;
        endcase
    endfunction

    function [35:0] lanes_written(input integer width, input [13:0] address);
        case (width)
            18: lanes_written = {18'h0, {9{address[1]}}, {9{address[0]}}} << place(width, address);
            36: lanes_written = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
            default: lanes_written = lanes(width, address);
        endcase
    endfunction

    function [35:0] word(input integer width, input [13:0] address, input [35:0] two);
        word = (two & lanes(width, address)) >> place(width, address);
    endfunction

    wire clk_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire selected_a = CEA && {CSA2, CSA1, CSA0} == 3'b000;
    wire [35:0] write_a = lanes_written(DATA_WIDTH_A, address_a);

    wire clk_b = CLKBMUX == "INV" ? ~CLKB : CLKB;
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire selected_b = CEB && {CSB2, CSB1, CSB0} == 3'b000;
    wire [35:0] write_b = lanes_written(DATA_WIDTH_B, address_b);

    wire [35:0] old_a = {rows[{address_a[13:5], 1'b1}], rows[{address_a[13:5], 1'b0}]};
    wire [35:0] old_b = {rows[{address_b[13:5], 1'b1}], rows[{address_b[13:5], 1'b0}]};
    // A's pins are the low half of a port of 36 bits, whichever port it is.
    wire [35:0] data_a = {{DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0},
        {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0}};
    wire [35:0] data_b = DATA_WIDTH_B == 36 ? data_a : data_a >> 18;
    wire [35:0] new_a = (old_a & ~write_a) | ((data_a << place(DATA_WIDTH_A, address_a)) & write_a);
    wire [35:0] new_b = (old_b & ~write_b) | ((data_b << place(DATA_WIDTH_B, address_b)) & write_b);

    always @(posedge clk_a)
        if (selected_a && WEA) begin
            if (|write_a[17:0])
                rows[{address_a[13:5], 1'b0}] <= new_a[17:0];
            if (|write_a[35:18])
                rows[{address_a[13:5], 1'b1}] <= new_a[35:18];
        end

    wire cleared_a = RESETMODE == "ASYNC" && RSTA;
    always @(posedge clk_a or posedge cleared_a)
        if (cleared_a || RSTA)
            shown_a <= 0;
        else if (selected_a && !(WEA && WRITEMODE_A == "NORMAL"))
            shown_a <= word(DATA_WIDTH_A, address_a, WEA && WRITEMODE_A == "WRITETHROUGH" ? new_a : old_a);

    always @(posedge clk_b)
        if (selected_b && WEB) begin
            if (|write_b[17:0])
                rows[{address_b[13:5], 1'b0}] <= new_b[17:0];
            if (|write_b[35:18])
                rows[{address_b[13:5], 1'b1}] <= new_b[35:18];
        end

    wire cleared_b = RESETMODE == "ASYNC" && RSTB;
    always @(posedge clk_b or posedge cleared_b)
        if (cleared_b || RSTB)
            shown_b <= 0;
        else if (selected_b && !(WEB && WRITEMODE_B == "NORMAL"))
            shown_b <= word(DATA_WIDTH_B, address_b, WEB && WRITEMODE_B == "WRITETHROUGH" ? new_b : old_b);

    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0}
        = DATA_WIDTH_B == 36 ? shown_b[17:0] : shown_a[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0}
        = DATA_WIDTH_B == 36 ? shown_b[35:18] : shown_b[17:0];
endmodule
