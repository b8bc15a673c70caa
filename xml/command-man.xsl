<?xml version="1.0" encoding="UTF-8"?>
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- A command's description to its man page, NAME(8):
     NAME metadata | xsltproc (string parameters) version VERSION command-man.xsl - -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:import href="man-roff.xsl"/>
<xsl:output method="text" encoding="UTF-8"/>
<xsl:param name="version"/>

<xsl:variable name="suite" select="string(/command-suite/@name)"/>
<xsl:variable name="upper" select="translate($suite, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')"/>

<xsl:template match="/command-suite">
  <xsl:value-of select="concat('.\&quot; Made from what ', $suite, ' says of itself; edit its tables instead.', $newline)"/>
  <xsl:value-of select="concat('.TH &quot;', $upper, '&quot; 8 &quot;&quot; &quot;Vigil ', $version, '&quot; &quot;Hot standby&quot;', $newline)"/>
  <xsl:value-of select="concat('.nh', $newline, '.ad l', $newline, '.SH NAME', $newline)"/>
  <xsl:call-template name="line"><xsl:with-param name="text" select="concat($suite, ' - ', shortdesc)"/></xsl:call-template>
  <xsl:value-of select="concat('.SH SYNOPSIS', $newline)"/>
  <xsl:for-each select="commands/command">
    <xsl:if test="position() &gt; 1"><xsl:value-of select="concat('.br', $newline)"/></xsl:if>
    <xsl:value-of select="concat('.B ', $suite, ' ')"/>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
    <xsl:value-of select="concat($newline, '.RI [ option ]...')"/>
    <xsl:if test="@operands">
      <xsl:text> " " </xsl:text>
      <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@operands)"/></xsl:call-template>
    </xsl:if>
    <xsl:value-of select="$newline"/>
  </xsl:for-each>
  <xsl:value-of select="concat('.SH DESCRIPTION', $newline)"/>
  <xsl:call-template name="paragraphs"><xsl:with-param name="text" select="string(longdesc)"/></xsl:call-template>
  <xsl:value-of select="concat('.PP', $newline, 'An option is given as \fB\-\-\fR\fIname\fR=\fIvalue\fR or \fB\-\-\fR\fIname\fR \fIvalue\fR. \fB\-\-help\fR behind a command explains it, \fB\-\-version\fR tells the release.', $newline)"/>
  <xsl:apply-templates select="commands/command"/>
  <xsl:value-of select="concat('.SH EXIT STATUS', $newline)"/>
  <xsl:value-of select="concat('.TP', $newline, '.B 0', $newline, 'Done.', $newline)"/>
  <xsl:value-of select="concat('.TP', $newline, '.B 1', $newline, 'Failed, or there is nothing to show; the reason stands on standard error.', $newline)"/>
  <xsl:value-of select="concat('.TP', $newline, '.B 2', $newline, 'Called in a wrong way.', $newline)"/>
  <xsl:value-of select="concat('.SH SEE ALSO', $newline, '.BR vigild (8),', $newline, '.BR vigil (7),', $newline, '.BR crm_mon (8)', $newline)"/>
</xsl:template>

<xsl:template match="command">
  <xsl:text>.SH "</xsl:text>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="concat($suite, ' ', @name)"/></xsl:call-template>
  <xsl:value-of select="concat('&quot;', $newline)"/>
  <xsl:call-template name="line"><xsl:with-param name="text" select="concat(translate(substring(shortdesc, 1, 1), 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'), substring(shortdesc, 2), '.')"/></xsl:call-template>
  <xsl:value-of select="concat('.PP', $newline)"/>
  <xsl:call-template name="paragraphs"><xsl:with-param name="text" select="string(longdesc)"/></xsl:call-template>
  <xsl:apply-templates select="parameter"/>
  <xsl:if test="@json = '1'">
    <xsl:value-of select="concat('.TP', $newline, '.B \-\-json', $newline, 'Prints JSON instead of text.', $newline)"/>
  </xsl:if>
</xsl:template>

<xsl:template match="parameter">
  <xsl:value-of select="concat('.TP', $newline, '\fB\-\-')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
  <xsl:text>\fR</xsl:text>
  <xsl:if test="@value"><xsl:value-of select="concat('=\fI', @value, '\fR')"/></xsl:if>
  <xsl:choose>
    <xsl:when test="@required = '1'"> (required)</xsl:when>
    <xsl:when test="@value and content/@default">
      <xsl:text> (default </xsl:text>
      <xsl:call-template name="escape"><xsl:with-param name="text" select="string(content/@default)"/></xsl:call-template>
      <xsl:text>)</xsl:text>
    </xsl:when>
  </xsl:choose>
  <xsl:if test="content/option"><xsl:text>: one of </xsl:text><xsl:call-template name="choices"/></xsl:if>
  <xsl:value-of select="$newline"/>
  <xsl:call-template name="parameter-text"/>
</xsl:template>

</xsl:stylesheet>
