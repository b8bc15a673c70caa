<?xml version="1.0" encoding="UTF-8"?>
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- What both man page stylesheets share: text to roff, paragraphs, lists of parameters' values. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">

<xsl:variable name="newline" select="'&#10;'"/>
<xsl:variable name="apostrophe">'</xsl:variable>

<xsl:template name="replace">
  <xsl:param name="text"/>
  <xsl:param name="from"/>
  <xsl:param name="to"/>
  <xsl:choose>
    <xsl:when test="contains($text, $from)">
      <xsl:value-of select="concat(substring-before($text, $from), $to)"/>
      <xsl:call-template name="replace">
        <xsl:with-param name="text" select="substring-after($text, $from)"/>
        <xsl:with-param name="from" select="$from"/>
        <xsl:with-param name="to" select="$to"/>
      </xsl:call-template>
    </xsl:when>
    <xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<!-- Text within a line. A hyphen stays one that can be copied into a command; a backslash is printed, not obeyed. -->
<xsl:template name="escape">
  <xsl:param name="text"/>
  <xsl:variable name="backslashes">
    <xsl:call-template name="replace">
      <xsl:with-param name="text" select="$text"/>
      <xsl:with-param name="from" select="'\'"/>
      <xsl:with-param name="to" select="'\(rs'"/>
    </xsl:call-template>
  </xsl:variable>
  <xsl:call-template name="replace">
    <xsl:with-param name="text" select="$backslashes"/>
    <xsl:with-param name="from" select="'-'"/>
    <xsl:with-param name="to" select="'\-'"/>
  </xsl:call-template>
</xsl:template>

<!-- Text that begins a line: a dot or an apostrophe there would be a request. -->
<xsl:template name="line">
  <xsl:param name="text"/>
  <xsl:variable name="flat" select="normalize-space($text)"/>
  <xsl:if test="$flat != ''">
    <xsl:if test="starts-with($flat, '.') or starts-with($flat, $apostrophe)">\&amp;</xsl:if>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="$flat"/></xsl:call-template>
    <xsl:value-of select="$newline"/>
  </xsl:if>
</xsl:template>

<!-- Paragraphs separated by an empty line; `break` is the request that stands between two. -->
<xsl:template name="paragraphs">
  <xsl:param name="text"/>
  <xsl:param name="break" select="'.PP'"/>
  <xsl:variable name="gap" select="'&#10;&#10;'"/>
  <xsl:choose>
    <xsl:when test="contains($text, $gap)">
      <xsl:variable name="head" select="normalize-space(substring-before($text, $gap))"/>
      <xsl:variable name="rest" select="substring-after($text, $gap)"/>
      <xsl:call-template name="line"><xsl:with-param name="text" select="$head"/></xsl:call-template>
      <xsl:if test="$head != '' and normalize-space($rest) != ''">
        <xsl:value-of select="concat($break, $newline)"/>
      </xsl:if>
      <xsl:call-template name="paragraphs">
        <xsl:with-param name="text" select="$rest"/>
        <xsl:with-param name="break" select="$break"/>
      </xsl:call-template>
    </xsl:when>
    <xsl:otherwise>
      <xsl:call-template name="line"><xsl:with-param name="text" select="$text"/></xsl:call-template>
    </xsl:otherwise>
  </xsl:choose>
</xsl:template>

<!-- A parameter's short and long text, once where they say the same. -->
<xsl:template name="parameter-text">
  <xsl:variable name="short" select="normalize-space(shortdesc[1])"/>
  <xsl:variable name="long" select="normalize-space(longdesc[1])"/>
  <xsl:if test="$short != '' and $short != $long">
    <xsl:call-template name="line">
      <xsl:with-param name="text">
        <xsl:value-of select="$short"/>
        <xsl:if test="not(substring($short, string-length($short)) = '.')">.</xsl:if>
      </xsl:with-param>
    </xsl:call-template>
  </xsl:if>
  <xsl:if test="$short != '' and $long != '' and $short != $long">
    <xsl:value-of select="concat('.br', $newline)"/>
  </xsl:if>
  <xsl:call-template name="paragraphs">
    <xsl:with-param name="text" select="string(longdesc[1])"/>
    <xsl:with-param name="break" select="'.sp'"/>
  </xsl:call-template>
</xsl:template>

<!-- "one of a, b, c" for a choice. -->
<xsl:template name="choices">
  <xsl:for-each select="content/option">
    <xsl:if test="position() &gt; 1">, </xsl:if>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@value)"/></xsl:call-template>
  </xsl:for-each>
</xsl:template>

</xsl:stylesheet>
